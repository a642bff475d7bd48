/** Spark with Delta Lake, as a process for each session. Invariant: values come back in the text of test/interop/delta-support.ts. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DeltaType } from '../../src/compact/delta/actions.ts';
import type { TextRow, TextValue } from '../interop/delta-support.ts';
import { TestPython } from '../support/python.ts';

// The newest three that go together: jars of Delta 4.4.1 are for another Spark.
const python = new TestPython(['pyspark==4.2.0'], 'import pyspark');
const DELTA = 'io.delta:delta-spark_4.2_2.13:4.4.0';
const SESSION_LIMIT_MS = 450_000;

/** As TestPython.available(), and whether there is a Java. */
export async function sparkAvailable(): Promise<boolean> {
  try {
    await promisify(execFile)('java', ['-version']);
  } catch (error) {
    if (process.env.TIDEMARK_NO_SKIP) throw new Error('no java, which Spark needs', { cause: error });
    console.warn('skipped: no java, which Spark needs');
    return false;
  }
  return python.available();
}

/** A statement with its rows; `{t}` stands for the table, timestamps are to be selected as text. */
export type SparkStatement = { path: string; sql: string };

/** Runs the statements one after another in a session of their own. */
export async function spark(statements: SparkStatement[]): Promise<TextRow[][]> {
  const jars = { coordinates: DELTA, folder: join(python.home, 'ivy') };
  return (await python.run(SESSION, { statements, jars }, SESSION_LIMIT_MS)) as TextRow[][];
}

/** A column of the select list, as text that Python cannot change: its timestamps have a time zone of their own. */
export function selected(name: string, type: DeltaType): string {
  const column = `\`${name.replaceAll('`', '``')}\``;
  if (type === 'timestamp') return `date_format(${column}, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'") AS ${column}`;
  if (type === 'timestamp_ntz') return `date_format(${column}, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS") AS ${column}`;
  return column;
}

/** A value in Spark's SQL. Its text literals know backslashes, so text goes as bytes. */
export function sparkLiteral(type: DeltaType, value: TextValue): string {
  if (type === 'binary') return `X'${value}'`;
  const text = `decode(X'${Buffer.from(value as string).toString('hex')}', 'UTF-8')`;
  const name = { short: 'SMALLINT', integer: 'INT', long: 'BIGINT' }[type as string] ?? (type as string).toUpperCase();
  return type === 'string' ? text : `CAST(${text} AS ${name})`;
}

const SESSION = `
import json, sys, os, datetime, decimal
argument = json.load(sys.stdin)
os.environ['TZ'] = 'UTC'
from pyspark.sql import SparkSession
session = SparkSession.builder.master('local[2]')
for name, value in {
    'spark.jars.packages': argument['jars']['coordinates'],
    'spark.jars.ivy': argument['jars']['folder'],
    'spark.sql.extensions': 'io.delta.sql.DeltaSparkSessionExtension',
    'spark.sql.catalog.spark_catalog': 'org.apache.spark.sql.delta.catalog.DeltaCatalog',
    'spark.databricks.delta.snapshotPartitions': '1',
    'spark.sql.shuffle.partitions': '1',
    'spark.sql.session.timeZone': 'UTC',
    # Compiling what runs once takes longer than running it.
    'spark.driver.extraJavaOptions': '-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
    'spark.sql.codegen.wholeStage': 'false',
    'spark.sql.codegen.factoryMode': 'NO_CODEGEN',
    'spark.driver.memory': '1g',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
}.items(): session = session.config(name, value)
session = session.getOrCreate()

def text(value):
    if value is None: return None
    if isinstance(value, list): return [text(each) for each in value]
    if isinstance(value, bool): return 'true' if value else 'false'
    if isinstance(value, (bytes, bytearray)): return value.hex()
    if isinstance(value, decimal.Decimal): return format(value, 'f')
    if isinstance(value, datetime.date): return value.isoformat()
    if isinstance(value, float): return repr(value)
    return str(value)

def run(statement):
    table = 'delta.\`' + statement['path'].replace('\`', '\`\`') + '\`'
    return [{name: text(value) for name, value in row.asDict().items()} for row in session.sql(statement['sql'].replace('{t}', table)).collect()]

results = [run(statement) for statement in argument['statements']]
session.stop()
print(json.dumps(results))
`;
