/** What a key must be. Invariant: rows whose key tells them apart from no other row stop the table rather than losing one. */

import type { DuckConnection } from '../duckdb/duck.ts';
import { ident } from '../duckdb/literal.ts';
import { TidemarkError } from '../model/error.ts';
import type { KeyEquality } from '../model/run.ts';
import { scan } from './read-files.ts';

/** SQL of a key's value that is the same for values that Postgres takes as equal: citext in another case, `1.0` and `1.00`. */
export function compared(value: string, equality: KeyEquality | undefined): string {
  if (equality === 'case') return `lower(${value})`;
  if (equality === 'number') {
    return `CASE WHEN contains(${value}, '.') THEN rtrim(rtrim(${value}, '0'), '.') ELSE ${value} END`;
  }
  return value;
}

/** Throws STAGED_KEY when a row of the files has no value in a key column. */
export async function refuseNull(
  connection: DuckConnection,
  paths: string[],
  key: string[],
  signal: AbortSignal,
): Promise<void> {
  const counts = key.map((name, i) => `count(*) FILTER (r.${ident(name)} IS NULL) AS n${i}`);
  const [found] = await connection.rows<Record<string, bigint>>(`SELECT ${counts} FROM ${scan(paths)} r`, signal);
  const i = key.findIndex((_, at) => found[`n${at}`] > 0n);
  if (i < 0) return;
  throw new TidemarkError('STAGED_KEY', `${found[`n${i}`]} rows have no value in a key column`, {
    column: key[i],
    hint: 'a staged table needs a key that every row has: name other columns with `key:`, then export --full',
  });
}

/** Throws STAGED_KEY when two rows of `from` have the same key. */
export async function refuseTwice(
  connection: DuckConnection,
  from: string,
  key: string[],
  signal: AbortSignal,
): Promise<void> {
  const [twice] = await connection.rows<{ key: string; n: bigint }>(
    `SELECT concat_ws(', ', ${key.map((column) => `${column}::VARCHAR`).join(', ')}) AS key, count(*) AS n
     FROM ${from} GROUP BY ${key.join(', ')} HAVING count(*) > 1 LIMIT 1`,
    signal,
  );
  if (!twice) return;
  throw new TidemarkError('STAGED_KEY', `the key occurs ${twice.n} times in one run`, {
    key: twice.key,
    hint: 'the columns of `key:` do not tell the rows apart: name more of them, then export --full',
  });
}
