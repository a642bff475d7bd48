/** Which staged keys the source does not have. Invariant: keys are compared as a compaction compares them, in the types that hold both. */

import { batchColumns } from '../compact/batch-columns.ts';
import { isSameName } from '../compact/columns.ts';
import type { Snapshot } from '../compact/delta/actions.ts';
import { compared } from '../compact/keys.ts';
import { columnsOf, type FileColumn } from '../compact/read-files.ts';
import { duckTypeOf } from '../compact/types.ts';
import type { DuckConnection } from '../duckdb/duck.ts';
import { ident, text, texts } from '../duckdb/literal.ts';
import type { KeyEquality } from '../model/run.ts';
import { copyKeys } from './staged-keys.ts';

export type Comparison = {
  snapshot: Snapshot;
  /** Of readSourceKeys(). */
  source: string;
  /** Of readStagedKeys(). */
  staged: string[];
  /** Of each of the key's columns: how its values compare, where not as they are. */
  equality: (KeyEquality | undefined)[];
  /** Where the missing keys go. */
  to: string;
};

/** A local Parquet file of keys; `columns`: the key's as exports write them. */
export type MissingKeys = { path: string; rows: bigint; columns: FileColumn[] };

/** Throws SCHEMA_CHANGED. */
export async function findMissing(
  connection: DuckConnection,
  { snapshot, source, staged, equality, to }: Comparison,
  signal: AbortSignal,
): Promise<MissingKeys> {
  const columns = await columnsOf(connection, [source], signal);
  if (staged.length === 0) return { path: to, rows: 0n, columns };
  // A column that was widened since, or one without a zone, which the staged table has in UTC.
  const merged = batchColumns(snapshot, columns, null).columns;
  const types = columns.map(({ name }) => duckTypeOf(merged.find((each) => isSameName(each.name, name))!.type));
  const value = (name: string, i: number) => compared(`CAST(${name} AS ${types[i]})`, equality[i]);
  const same = columns.map(({ name }, i) => `${value(`s.k${i}`, i)} = ${value(`k.${ident(name)}`, i)}`);
  // In the types of the other raw files. Twice in one run, a key (of another writer's rows) would stop every compaction.
  const keys = columns.map(({ name, type }, i) => `CAST(first(s.k${i}) AS ${type}) AS ${ident(name)}`);
  const groups = columns.map((_, i) => value(`s.k${i}`, i));
  const select = `SELECT ${keys.join(', ')} FROM read_parquet(${texts(staged)}) s
    ANTI JOIN read_parquet(${text(source)}) k ON ${same.join(' AND ')} GROUP BY ${groups.join(', ')}`;
  return { path: to, rows: await copyKeys(connection, select, to, signal), columns };
}

const MOST_SAMPLES = 10;

/** Some of the keys, for people: `a=1, b=2`. */
export async function sampleOf(
  connection: DuckConnection,
  { path, columns }: MissingKeys,
  signal: AbortSignal,
): Promise<string[]> {
  const texts = columns.map(({ name }, i) => `${ident(name)}::VARCHAR AS k${i}`).join(', ');
  const order = columns.map((_, i) => i + 1).join(', ');
  const rows = await connection.rows<Record<string, string>>(
    `SELECT * FROM (SELECT ${texts} FROM read_parquet(${text(path)}) LIMIT ${MOST_SAMPLES}) ORDER BY ${order}`,
    signal,
  );
  return rows.map((row) => columns.map(({ name }, i) => `${name}=${row[`k${i}`]}`).join(', '));
}
