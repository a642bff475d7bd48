/** The user's statement, checked and planned over tables without rows. Invariant: what gets through only reads. */

import { type DuckDBConnection, type DuckDBType, StatementType } from '@duckdb/node-api';
import type { DuckConnection } from '../duckdb/duck.ts';
import { text } from '../duckdb/literal.ts';
import { TidemarkError } from '../model/error.ts';
import { type Scan, scansOf } from './filters.ts';
import type { NamedTable } from './names.ts';
import { blameStatement, missingTable, queryInvalid } from './query-error.ts';

/** `explain`: its rows are DuckDB's own text. `columns`: what only needs the columns of the tables, no row. */
export type StatementKind = 'rows' | 'explain' | 'columns';

export type Statement = {
  /** As a query that may stand where a table does; EXPLAIN cannot. */
  kind: StatementKind;
  sql: string;
  columns: { name: string; type: DuckDBType }[];
};

const BLANK = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/)*`;
const EXPLAIN = new RegExp(String.raw`^${BLANK}explain\b${BLANK}(?:analyze\b${BLANK})?(?:\([^)]*\))?`, 'i');
const OF_COLUMNS = new RegExp(String.raw`^${BLANK}(?:describe|desc|show)\b`, 'i');
const SUMMARIZE = new RegExp(String.raw`^${BLANK}summarize\b`, 'i');
const LIST = new RegExp(String.raw`^${BLANK}show\s+(?:all\s+)?tables\b`, 'i');

/** SHOW TABLES: it names none and means all. */
export function listsTables(sql: string): boolean {
  return LIST.test(sql);
}

/**
 * Binds the statement, or finds a table that it names and that is not there yet. Throws QUERY_INVALID with DuckDB's words, or for what
 * is no single reading statement.
 */
export async function checkStatement(
  connection: DuckConnection,
  sql: string,
  signal: AbortSignal,
): Promise<Statement | { missing: NamedTable; error: unknown }> {
  const explain = EXPLAIN.exec(sql);
  // EXPLAIN ANALYZE runs whatever it explains.
  const inner = explain ? blanked(explain[0]) + sql.slice(explain[0].length) : sql;
  return connection.use(async (duck) => {
    // Errors then come with the place in the statement.
    await duck.run('SET errors_as_json = true');
    try {
      const { type, columns } = await bind(duck, inner);
      if (type !== StatementType.SELECT) throw onlyReads();
      if (explain) return { kind: 'explain', sql, columns: [] };
      return { ...asQuery(sql), columns };
    } catch (error) {
      const missing = missingTable(error, inner);
      if (missing) return { missing, error: queryInvalid(error, inner) };
      throw queryInvalid(error, inner);
    } finally {
      await duck.run('RESET errors_as_json');
    }
  }, signal);
}

/** Blanks in the place of the text: what follows keeps its line and column. */
function blanked(text: string): string {
  return text.replace(/[^\n]/g, (character) => ' '.repeat(Buffer.byteLength(character)));
}

async function bind(
  duck: DuckDBConnection,
  sql: string,
): Promise<{ type: StatementType; columns: Statement['columns'] }> {
  const statements = await duck.extractStatements(sql);
  // A PIVOT without its list of values is several in DuckDB's eyes.
  if (statements.count !== 1) throw onlyReads();
  const prepared = await statements.prepare(0);
  try {
    if (prepared.parameterCount > 0) {
      throw new TidemarkError('QUERY_INVALID', 'the statement has parameters, and there are no values for them');
    }
    const columns = Array.from({ length: prepared.columnCount }, (_, i) => ({
      name: prepared.columnName(i),
      type: prepared.columnType(i),
    }));
    return { type: prepared.statementType, columns };
  } finally {
    prepared.destroySync();
  }
}

/** As a query for a view: the short forms are none by themselves. */
function asQuery(sql: string): Pick<Statement, 'kind' | 'sql'> {
  const bare = sql.replace(/[\s;]+$/, '');
  // Not the view of the result itself.
  if (LIST.test(sql)) return { kind: 'columns', sql: `FROM (${bare}\n) WHERE name <> 'tidemark result'` };
  if (OF_COLUMNS.test(sql)) return { kind: 'columns', sql: `FROM (${bare}\n)` };
  return { kind: 'rows', sql: SUMMARIZE.test(sql) ? `FROM (${bare}\n)` : sql };
}

function onlyReads(): TidemarkError {
  return new TidemarkError('QUERY_INVALID', 'one statement that reads is what `query` takes', {
    hint: 'SELECT, FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, EXPLAIN, SHOW TABLES; a PIVOT names its values with IN (…)',
  });
}

/** Those that move filters down to the scans. Others would look at tables that are empty for the moment, or make a plan that cannot be written down. */
const OPTIMIZERS = new Set([
  'expression_rewriter',
  'filter_pullup',
  'filter_pushdown',
  'cte_filter_pusher',
  'cte_inlining',
  'regex_range',
  'in_clause',
  'deliminator',
]);

/** The filters that each scan of the statement applies; null: not known. */
export async function planScans(
  connection: DuckConnection,
  { kind, sql }: Statement,
  signal: AbortSignal,
): Promise<Scan[] | null> {
  const explained = kind === 'explain' ? sql.replace(EXPLAIN, '') : sql;
  // Its text would end there.
  if (explained.includes('\0')) return null;
  const all = await connection.rows<{ name: string }>('SELECT name FROM duckdb_optimizers()', signal);
  const others = all.map(({ name }) => name).filter((name) => !OPTIMIZERS.has(name));
  await connection.run(`SET disabled_optimizers = ${text(others.join(','))}`, signal);
  const serialize = `SELECT json_serialize_plan(${text(explained)}, optimize := true)::VARCHAR AS plan`;
  const [{ plan }] = await connection.rows<{ plan: string }>(serialize, signal).catch(blameStatement);
  await connection.run('RESET disabled_optimizers', signal);
  return scansOf(plan);
}
