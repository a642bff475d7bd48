/** `tidemark query`: SQL over the lake. */

import { availableParallelism } from 'node:os';
import { missingFile } from '../compact/missing-file.ts';
import { openEngine } from '../compact/open-engine.ts';
import { loadConfig } from '../config/load-config.ts';
import { openLake } from '../lake/open.ts';
import { TidemarkError } from '../model/error.ts';
import { formatBytes } from '../model/format.ts';
import type { FetchProgress } from '../query/local-files.ts';
import { prepareQuery, RESULT } from '../query/run-query.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';
import { type Format, writeExplained, writeResult } from './query-output.ts';

export type QueryOptions = { sql: string; format?: Format; atVersion?: string; output?: string };

/** Exit code 0. Throws USAGE, QUERY_*, TABLE_UNKNOWN, STAGED_*, LAKE_*, SPOOL_*, MEMORY_FULL; STATE_* where the SQL names a history. */
export async function runQuery(options: QueryOptions, context: CommandContext): Promise<number> {
  const { signal } = context;
  const format = formatOf(options, context);
  const version = versionOf(options.atVersion);
  const sql = options.sql === '-' ? await context.stdin() : options.sql;
  if (sql.trim() === '') {
    throw new TidemarkError('USAGE', 'there is no SQL', { hint: 'tidemark query "select count(*) from <table>"' });
  }
  const config = await loadConfig(context);
  await using lake = await openLake(config.lake);
  await using engine = await openEngine(config, lake, context);
  await using stack = new AsyncDisposableStack();
  const connection = await (await engine.duck()).connect();
  await connection.run(`SET threads = ${threadsOf(config.memoryBytes)}`, signal);
  const deps = {
    lake,
    connection,
    spool: engine.spool,
    limitBytes: config.spool.limitBytes,
    table: (root: string) => ({ lake, root, checkpoints: engine.checkpoints }),
    state: once(async (): Promise<StateStore> => {
      const { openStateOf } = await import('./open-source.ts');
      return stack.use(await openStateOf(config, context, 'never'));
    }),
    progress: fetchProgress(context),
  };
  const statement = await prepareQuery(deps, sql, version, stack, signal).catch((error) => {
    throw missingFile(error, version);
  });
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  if (statement.kind === 'explain') {
    await writeExplained(connection, statement.sql, format, options.output, context);
  } else {
    const names = statement.columns.map((_, i) => `c${i}`);
    const from = `${RESULT} AS result(${names.join(', ')})`;
    const result = { connection, columns: statement.columns, from, again: statement.again };
    await writeResult(result, format, { output: options.output, path: engine.spool.path('result.parquet') }, context);
  }
  signal.throwIfAborted();
  return 0;
}

// With less for each, sorting some million rows runs out of memory rather than spill.
const THREAD_BYTES = 96 * 2 ** 20;

function threadsOf(memoryBytes: number): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(memoryBytes / THREAD_BYTES)));
}

const SUFFIXES: Record<string, Format> = { csv: 'csv', json: 'json', parquet: 'parquet' };

function formatOf({ format, output }: QueryOptions, { json, out }: CommandContext): Format {
  if (json && format !== undefined && format !== 'json') {
    throw new TidemarkError('USAGE', `--json and --format ${format} exclude each other`);
  }
  const chosen = json ? 'json' : (format ?? SUFFIXES[/\.([a-z]+)$/.exec(output ?? '')?.[1] ?? ''] ?? 'table');
  if (chosen === 'parquet' && output === undefined && out.terminal !== null) {
    throw new TidemarkError('USAGE', 'Parquet is nothing to look at', {
      hint: 'give it a file, --output FILE, or another program: … | program',
    });
  }
  return chosen;
}

function versionOf(typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined;
  if (/^\d{1,15}$/.test(typed)) return Number(typed);
  throw new TidemarkError('USAGE', `--at-version: ${JSON.stringify(typed)} is no version`, {
    hint: '`tidemark history --table T` lists the versions of a table',
  });
}

/** A live line on a terminal, else one line in the log when all is there. */
function fetchProgress({ screen, log }: CommandContext): FetchProgress {
  return ({ files, bytes, ready, readyBytes }) => {
    screen?.draw([`fetching ${ready} of ${files} files  ${formatBytes(readyBytes)} of ${formatBytes(bytes)}`]);
    if (ready === files && files > 0) log.info({ files, bytes }, 'files of the lake are in the spool');
  };
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}
