/** What bin/tidemark starts when it is newer than the sources: a few files instead of some hundred modules, half the time of a start. */

import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
/** They come in many small modules, of which a command uses most. */
export const BUNDLED = ['commander', 'kysely', 'yaml', 'zod', 'node-cron'];

/** The status page's own files, which the program reads as they are. */
const PAGE = fileURLToPath(new URL('src/status/page', import.meta.url));
const page = {
  name: 'page',
  writeBundle({ dir = 'dist' }: { dir?: string }) {
    cpSync(PAGE, path.join(dir, 'page'), { recursive: true });
  },
};

export default defineConfig({
  input: { main: 'src/main.ts', 'parse-worker': 'src/load/parse/parse-worker.ts' },
  platform: 'node',
  plugins: [page],
  external: (id) =>
    Object.keys(dependencies).some((name) => !BUNDLED.includes(name) && (id === name || id.startsWith(`${name}/`))),
  output: { dir: 'dist', format: 'esm', chunkFileNames: '[name]-[hash].js' },
});
