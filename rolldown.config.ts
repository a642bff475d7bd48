/** What bin/tidemark starts when it is newer than the sources: a few files instead of some hundred modules, half the time of a start. */

import { readFileSync } from 'node:fs';
import { defineConfig } from 'rolldown';

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
/** They come in many small modules, of which a command uses most. */
const BUNDLED = ['commander', 'kysely', 'yaml', 'zod', 'node-cron'];

export default defineConfig({
  input: { main: 'src/main.ts', 'parse-worker': 'src/load/parse/parse-worker.ts' },
  platform: 'node',
  external: (id) =>
    Object.keys(dependencies).some((name) => !BUNDLED.includes(name) && (id === name || id.startsWith(`${name}/`))),
  output: { dir: 'dist', format: 'esm', chunkFileNames: '[name]-[hash].js' },
});
