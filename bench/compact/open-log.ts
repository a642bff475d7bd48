/** Opens a table in a process of its own, DuckDB's start included, and says how long it took: `open-log.ts LAKE ROOT OUT`. */

import { writeFile } from 'node:fs/promises';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { openTable } from './lake-table.ts';

const [lake, root, out] = process.argv.slice(2);
const began = performance.now();
await using table = await openTable(lake, root);
const snapshot = await readSnapshot(table, AbortSignal.timeout(60_000));
const seconds = (performance.now() - began) / 1000;
await writeFile(out, JSON.stringify({ version: snapshot?.version, files: snapshot?.files.size, seconds }));
