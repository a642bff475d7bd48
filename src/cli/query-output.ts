/** Where a query's result goes. Invariant: a file of --output is whole or as it was before. */

import { createReadStream } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DuckConnection } from '../duckdb/duck.ts';
import { TidemarkError } from '../model/error.ts';
import type { Result } from '../query/result.ts';
import { type Write, writeCsv, writeJson } from '../query/write-lines.ts';
import { writeParquet } from '../query/write-parquet.ts';
import { readTable } from '../query/write-table.ts';
import type { CommandContext } from './context.ts';

export type Format = 'table' | 'csv' | 'json' | 'parquet';

/** `path`: for a Parquet file on its way. */
export async function writeResult(
  result: Result,
  format: Format,
  { output, path: parquet }: { output: string | undefined; path: string },
  context: CommandContext,
): Promise<void> {
  if (format === 'parquet') {
    await writeParquet(result, parquet, context.signal);
    if (output === undefined) await pass(parquet, context.out.bulk);
    else await replace(output, context, (temporary) => copyFile(parquet, temporary));
    return;
  }
  await withWrite(output, context, (write) => writeText(result, format, write, output === undefined, context));
}

async function writeText(
  result: Result,
  format: 'table' | 'csv' | 'json',
  write: Write,
  toStdout: boolean,
  { out, signal }: CommandContext,
): Promise<void> {
  if (format === 'csv') return writeCsv(result, write, signal);
  if (format === 'json') return writeJson(result, write, signal);
  const { head, lines, foot } = await readTable(result, toStdout && out.terminal ? out.terminal.columns : null, signal);
  const dim = (text: string) => (toStdout ? out.style('dim', text) : text);
  await write(`${[dim(head), ...lines, dim(foot)].join('\n')}\n`);
}

/** DuckDB's drawing of the plan. Runs the statement when it says ANALYZE. */
export async function writeExplained(
  connection: DuckConnection,
  sql: string,
  format: Format,
  output: string | undefined,
  context: CommandContext,
): Promise<void> {
  if (format !== 'table' && format !== 'json') {
    throw new TidemarkError('USAGE', `a plan is text: --format ${format} is not for EXPLAIN`);
  }
  const rows = await connection.rows<{ explain_value: string }>(sql, context.signal);
  const drawn = rows.map(({ explain_value }) => explain_value.replace(/\n?$/, '\n')).join('\n');
  const text = format === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : drawn;
  await withWrite(output, context, async (write) => void (await write(text)));
}

async function withWrite(
  output: string | undefined,
  context: CommandContext,
  work: (write: Write) => Promise<void>,
): Promise<void> {
  if (output === undefined) return work(context.out.bulk);
  await replace(output, context, async (temporary) => {
    await using file = await open(temporary, 'wx');
    await work(async (chunk) => {
      await file.writeFile(chunk);
      return true;
    });
  });
}

/** Lets `make` write a file beside it that then takes its place. */
async function replace(
  output: string,
  { cwd }: CommandContext,
  make: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = path.resolve(cwd, output);
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await make(temporary);
    await rename(temporary, target);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof TidemarkError || syscall === undefined) throw error;
    throw new TidemarkError('USAGE', `${output} cannot be written: ${code}`, {
      hint: 'name a file in a folder that is there, writable and has room',
      cause: error,
    });
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

async function pass(file: string, write: Write): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) if (!(await write(chunk))) return;
}
