/**
 * Delta tables as other engines see and change them: delta-rs, and DuckDB with its extension. Invariant: values come back as exact text, in
 * one form for all engines; NULL is null.
 *
 * boolean true, false · numbers in full, doubles as the shortest text of the double · binary in hex · timestamps as 2026-01-02T03:04:05.678901Z (without
 * the Z where they have no zone) · arrays as arrays of these.
 */

import { runPython } from '../support/python.ts';

export type TextValue = string | null | TextValue[];
export type TextRow = Record<string, TextValue>;

export type DeltaReader = 'delta-rs' | 'duckdb';
export const DELTA_READERS: DeltaReader[] = ['delta-rs', 'duckdb'];

/** The rows that `where`, in the engine's own SQL, leaves. Sorted by `orderBy`, the table's first column unless given. */
export type ReadOptions = { where?: string; version?: number; orderBy?: string };

export async function readWithDeltaRs(path: string, options: ReadOptions = {}): Promise<TextRow[]> {
  return (await queryDelta('delta-rs', path, [select(options)], options.version))[0];
}

export async function readWithDuckdb(path: string, options: ReadOptions = {}): Promise<TextRow[]> {
  return (await queryDelta('duckdb', path, [select(options)], options.version))[0];
}

function select({ where = 'true', orderBy = '1' }: ReadOptions): string {
  return `SELECT * FROM t WHERE ${where} ORDER BY ${orderBy}`;
}

/** The rows of each query, all on one opened table `t`. */
export async function queryDelta(
  reader: DeltaReader,
  path: string,
  queries: string[],
  version?: number,
): Promise<TextRow[][]> {
  const open = reader === 'delta-rs' ? OPEN_DELTA_RS : OPEN_DUCKDB;
  return (await runPython(`${TEXT}\n${open}\n${QUERY}`, { path, queries, version: version ?? null })) as TextRow[][];
}

/** delta-rs writes the rows of a query (DuckDB's SQL) to the end of the table, or over all of it. Returns the version. */
export async function writeWithDeltaRs(
  path: string,
  sql: string,
  mode: 'append' | 'overwrite' = 'append',
): Promise<number> {
  return (await runPython(WRITE, { path, sql, mode })) as number;
}

/** delta-rs merges small files into one. Returns the version and its own counts. */
export async function optimizeWithDeltaRs(
  path: string,
): Promise<{ version: number; filesAdded: number; filesRemoved: number }> {
  return (await runPython(OPTIMIZE, { path })) as { version: number; filesAdded: number; filesRemoved: number };
}

const TEXT = `
import json, sys, os, datetime, decimal
import pyarrow as pa
argument = json.load(sys.stdin)

def text(value, type):
    if value is None: return None
    if pa.types.is_list(type) or pa.types.is_large_list(type): return [text(each, type.value_type) for each in value]
    if isinstance(value, bool): return 'true' if value else 'false'
    if isinstance(value, bytes): return value.hex()
    if isinstance(value, decimal.Decimal): return format(value, 'f')
    if isinstance(value, datetime.datetime):
        zone = 'Z' if type.tz else ''
        return value.replace(tzinfo=None).isoformat(timespec='microseconds') + zone
    if isinstance(value, datetime.date): return value.isoformat()
    if isinstance(value, float): return repr(value)
    return str(value)

def rows(table):
    columns = [[text(value, field.type) for value in column.to_pylist()] for field, column in zip(table.schema, table.columns)]
    return [dict(zip(table.column_names, values)) for values in zip(*columns)]
`;

const OPEN_DELTA_RS = `
from deltalake import DeltaTable, QueryBuilder
table = DeltaTable(argument['path'], version=argument['version'])
engine = QueryBuilder().register('t', table)
def query(sql): return pa.table(engine.execute(sql).read_all())
`;

// A snapshot that is attached is opened once; delta_scan() would read the log for each query.
const OPEN_DUCKDB = `
import duckdb, duckdb_extension_delta, urllib.parse
connection = duckdb.connect(config={'autoinstall_known_extensions': False})
extension = os.path.join(os.path.dirname(duckdb_extension_delta.__file__), 'extensions/v' + duckdb.__version__ + '/delta.duckdb_extension')
connection.execute("LOAD '" + extension + "'")
connection.execute("SET TimeZone = 'UTC'")
connection.execute('SET enable_progress_bar = false')
version = '' if argument['version'] is None else ', VERSION ' + str(argument['version'])
connection.execute("ATTACH '" + argument['path'].replace("'", "''") + "' AS d (TYPE delta, PIN_SNAPSHOT" + version + ")")
connection.execute('CREATE VIEW t AS SELECT * FROM d')
def query(sql): return connection.execute(sql).to_arrow_table()
`;

const QUERY = `
print(json.dumps([rows(query(sql)) for sql in argument['queries']]))
`;

const WRITE = `
import json, sys, duckdb
from deltalake import DeltaTable, write_deltalake
argument = json.load(sys.stdin)
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
write_deltalake(argument['path'], connection.execute(argument['sql']).to_arrow_table(), mode=argument['mode'])
print(DeltaTable(argument['path']).version())
`;

const OPTIMIZE = `
import json, sys
from deltalake import DeltaTable
argument = json.load(sys.stdin)
table = DeltaTable(argument['path'])
metrics = table.optimize.compact()
print(json.dumps({'version': table.version(), 'filesAdded': metrics['numFilesAdded'], 'filesRemoved': metrics['numFilesRemoved']}))
`;
