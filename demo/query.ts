/** `./query "select …"` in a kept demo: DuckDB over its lake, a view for each table. */

import path from 'node:path';
import { openLakeSql } from './lake.ts';
import { table } from './screen.ts';

const [folder, ...words] = process.argv.slice(2);
try {
  using lake = await openLakeSql(path.join(folder, 'lake'));
  table(await lake.query(words.join(' ')));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
