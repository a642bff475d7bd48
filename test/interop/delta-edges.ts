/** Filters at each value of the sample, in the SQL of each engine. */

import type { DeltaType } from '../../src/compact/delta/actions.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { ident, text, texts } from '../../src/duckdb/literal.ts';
import { never } from '../compact/delta-support.ts';
import { duckLiteral, type SampleColumn } from './delta-samples.ts';
import { type DeltaReader, queryDelta } from './delta-support.ts';

/** A comparison of a column with a value: `>=` and the like, or `IS NULL` without a value. */
export type Edge = { column: SampleColumn; operator: string; value?: string };

// A bound that is too narrow fails one of these at the value that it leaves out; < and > say no more.
const OPERATORS = ['=', '<=', '>='];

/** All comparisons of the columns with each value they have; arrays are not compared. */
export function edgesOf(sample: SampleColumn[]): Edge[] {
  return sample.flatMap((column) => {
    const nulls = ['IS NULL', 'IS NOT NULL'].map((operator) => ({ column, operator }));
    if (typeof column.type !== 'string') return nulls;
    const values = new Set(column.files.flat().filter((value) => typeof value === 'string'));
    return [...nulls, ...[...values].flatMap((value) => OPERATORS.map((operator) => ({ column, operator, value })))];
  });
}

/** The ids that each leaves, in order, as a reader of the Delta table finds them. */
export async function idsByReader(reader: DeltaReader, path: string, edges: Edge[]): Promise<string[]> {
  const literal = reader === 'delta-rs' ? fusionLiteral : duckLiteral;
  const results = await queryDelta(
    reader,
    path,
    edges.map((edge) => `SELECT id FROM t WHERE ${condition(edge, literal)} ORDER BY id`),
  );
  return results.map((rows) => rows.map(({ id }) => id).join(' '));
}

/** The same from the Parquet files alone: no log, no statistics of a log. */
export async function idsByFiles(connection: DuckConnection, files: string[], edges: Edge[]): Promise<string[]> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE t AS FROM read_parquet(${texts(files)})`, never);
  const found: string[] = [];
  for (const edge of edges) {
    const rows = await connection.rows<{ ids: string | null }>(
      `SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM t WHERE ${condition(edge, duckLiteral)}`,
      never,
    );
    found.push(rows[0].ids ?? '');
  }
  return found;
}

export function edgeText({ column, operator, value }: Edge): string {
  return `${column.name} ${operator}${value === undefined ? '' : ` ${value.slice(0, 60)}`}`;
}

function condition({ column, operator, value }: Edge, literal: (type: DeltaType, value: string) => string): string {
  return `${ident(column.name)} ${operator}${value === undefined ? '' : ` ${literal(column.type, value)}`}`;
}

const ARROW_TYPES: Record<string, string> = {
  short: 'Int16',
  integer: 'Int32',
  long: 'Int64',
  float: 'Float32',
  double: 'Float64',
  date: 'Date32',
  timestamp: 'Timestamp(Microsecond, Some("UTC"))',
  timestamp_ntz: 'Timestamp(Microsecond, None)',
};

/** A value in DataFusion's SQL, whose numbers with a point would be doubles. */
function fusionLiteral(type: DeltaType, value: string): string {
  if (type === 'string') return text(value);
  if (type === 'boolean') return value;
  if (type === 'binary') return `decode(${text(value)}, 'hex')`;
  const arrow = ARROW_TYPES[type as string] ?? (type as string).replace('decimal', 'Decimal128');
  return `arrow_cast(${text(value)}, ${text(arrow)})`;
}
