/** This tidemark's version: of package.json, which stands beside src/ and beside dist/. */

import { readFileSync } from 'node:fs';

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
