import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-postgres.ts'],
    // Of a machine with other work: only what hangs takes so long, and it then ends with a message.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Cut short, it would leave its Postgres behind.
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 30_000, interval: 50 } },
    pool: 'forks',
    // One more than two cores: tests wait for servers and processes about as long as they compute.
    maxWorkers: Math.max(3, Math.min(6, availableParallelism())),
  },
});
