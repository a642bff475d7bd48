/** What a command says of expectations that a run's rows broke, and that was committed all the same. Pure. */

import { formatCount } from '../model/format.ts';
import type { Broken } from '../model/run.ts';
import { displayName, type TableName } from '../model/table.ts';

export function brokenLine(table: TableName, { column, rule, count, key, value }: Broken): string {
  const rows = `${formatCount(count)} ${count === 1 ? 'row' : 'rows'} of the last run`;
  const such = key === null ? '' : ` (${key})`;
  const what = {
    closed: 'a new column, where expect.columns is closed',
    not_null: `NULL in ${rows}, against expect.not_null${such}`,
    accepted: `${JSON.stringify(value)} or the like in ${rows}, against expect.accepted${such}`,
  };
  return `${displayName(table)}.${column}: ${what[rule]}`;
}
