/** `tidemark export`: changed rows to raw/. */

import os from 'node:os';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { dryRun } from '../export/dry-run.ts';
import { exportTables } from '../export/export-tables.ts';
import { openLake } from '../lake/open.ts';
import { TidemarkError } from '../model/error.ts';
import type { TableSettings } from '../model/table.ts';
import type { Source } from '../postgres/source.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { exportDeps } from './export-deps.ts';
import { exportProgress } from './export-progress.ts';
import { dryRunJson, printDryRun, printResults, resultJson } from './export-result.ts';
import { openSource, openStateOf, readersOf, wantedTables } from './open-source.ts';
import { parseRange } from './typed-range.ts';

export type ExportOptions = {
  table?: string[];
  all?: boolean;
  full?: boolean;
  dryRun?: boolean;
  since?: string;
  until?: string;
};

/** Exit code 0, or 1, 3, 4 by what became of the tables. Throws what concerns all of them. */
export async function runExport(options: ExportOptions, context: CommandContext): Promise<number> {
  const range = parseRange(options);
  if (range && options.full) {
    throw new TidemarkError('USAGE', '--since and --full exclude each other', {
      hint: '--full exports every row; --since repeats a range of the cursor',
    });
  }
  const config = await loadConfig(context);
  await using source = openSource(config, context.env);
  const tables = await wantedTables(config, source, options, context.signal);
  if (options.dryRun) return await showDryRun(await openExisting(config, context), source, tables, options, context);
  await using state = await openStateOf(config, context, 'if-needed');
  await using lake = await openLake(config.lake);
  const deps = exportDeps({ source, state, lake, log: context.log });
  const request = {
    tables,
    full: options.full ?? false,
    range: range ?? undefined,
    readers: readersOf(config),
    holder: `${os.hostname()} pid ${process.pid}`,
    leaseMs: config.defaults.leaseMs,
  };
  const progress = exportProgress(context.screen, context.log, deps.now);
  const results = await exportTables(deps, request, progress, context.signal);
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  context.out.json({ tables: results.map((result) => resultJson(result, context.secrets)) });
  printResults(results, context);
  context.signal.throwIfAborted();
  return exitCodeOfTables(results, !options.all);
}

/** The state store for reading; null when there is none yet, and none is made for a look. */
async function openExisting(config: Config, context: CommandContext): Promise<StateStore | null> {
  try {
    return await openStateOf(config, context, 'never');
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'STATE_NOT_MIGRATED') return null;
    throw error;
  }
}

async function showDryRun(
  state: StateStore | null,
  source: Source,
  tables: TableSettings[],
  options: ExportOptions,
  context: CommandContext,
): Promise<number> {
  const marks = (await state?.marks(tables.map(({ folder }) => folder))) ?? [];
  await state?.[Symbol.asyncDispose]();
  const { full = false } = options;
  const found = [];
  for (const [i, settings] of tables.entries()) {
    try {
      found.push(
        await dryRun(source, settings, marks[i] ?? null, { full, range: parseRange(options) }, context.signal),
      );
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      found.push({ table: settings.name, error });
    }
  }
  context.out.json({ tables: found.map((each) => dryRunJson(each, context.secrets)) });
  printDryRun(found, context);
  return found.some((each) => 'error' in each) ? 1 : 0;
}
