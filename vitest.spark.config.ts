/** `npm run test:spark`: minutes and half a gigabyte of packages, so not part of `npm test`. */

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/spark/**/*.spark.ts'],
    // A session starts in 10 to 30 s; the first one fetches its jars.
    testTimeout: 480_000,
    hookTimeout: 480_000,
    fileParallelism: false,
  },
});
