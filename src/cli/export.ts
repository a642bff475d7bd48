/** `tidemark export`: changed rows to raw/. */

import type { Config } from '../config/config.ts';
import { exportedTables } from '../config/exported-tables.ts';
import type { UnfitTable } from '../config/fitting-tables.ts';
import { loadConfig } from '../config/load-config.ts';
import { dryRun } from '../export/dry-run.ts';
import { exportDeps } from '../export/export-deps.ts';
import { exportTables } from '../export/export-tables.ts';
import { openLake } from '../lake/open.ts';
import { TidemarkError } from '../model/error.ts';
import type { TableSettings } from '../model/table.ts';
import type { Source } from '../postgres/source.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { exportProgress } from './export-progress.ts';
import { type DryRunResult, dryRunJson, printDryRun, printResults, resultJson, unfitResult } from './export-result.ts';
import { holderOf, meantTables, openSource, openStateOf, readersOf } from './open-source.ts';
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
  if (options.dryRun) return await showDryRun(config, options, context);
  // Before the source: connections to it are counted there.
  await using state = await openStateFor(config, options, context);
  await using source = openSource(config, context, state, 'limited');
  const { tables, unfit } = await tablesNow(config, { source, state }, options, context);
  await using lake = await openLake(config.lake);
  const deps = exportDeps({ source, state, lake, log: context.log });
  const request = {
    tables,
    full: options.full ?? false,
    range: range ?? undefined,
    // While the run of one table is committed, no connection to the source is needed for it: another one is read meanwhile.
    readers: readersOf(config) + 1,
    holder: holderOf(),
    leaseMs: config.defaults.leaseMs,
  };
  const progress = exportProgress(context.screen, context.log, deps.now);
  const results = [...(await exportTables(deps, request, progress, context.signal)), ...unfit.map(unfitResult)];
  for (const { error } of unfit) context.log.error({ table: error.place.table, err: error }, 'not exported');
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  context.out.json({ tables: results.map((result) => resultJson(result, context.secrets)) });
  printResults(results, context);
  context.signal.throwIfAborted();
  return exitCodeOfTables(results, !options.all);
}

/**
 * The state store. Where there is none yet, or an older one, it is touched only after the source was found to have the tables
 * that are meant. A source that is its own state store, and away, is said to be the source.
 */
async function openStateFor(config: Config, options: ExportOptions, context: CommandContext): Promise<StateStore> {
  // Its connection is counted nowhere, for there is no state store: it is gone before another process may have one.
  const lookAtSource = async () => {
    await using source = openSource(config, context, null);
    await meantTables(config, source, options, context.signal);
  };
  try {
    return await openStateOf(config, context, 'if-needed', lookAtSource);
  } catch (error) {
    context.signal.throwIfAborted();
    if (config.state.isSource && error instanceof TidemarkError && error.code.startsWith('STATE_'))
      await lookAtSource();
    throw error;
  }
}

/**
 * The tables that are meant. Where other processes have all connections and every table that was named is held, that can be
 * said at once, without the source. Not with --all: the state store does not know of tables that nobody has begun with.
 */
async function tablesNow(
  config: Config,
  { source, state }: { source: Source; state: StateStore },
  options: ExportOptions,
  context: CommandContext,
): Promise<{ tables: TableSettings[]; unfit: UnfitTable[] }> {
  const { signal } = context;
  const free = await source.useIfFree(async () => true, signal);
  const held = free || options.all ? null : await tablesIfHeld(config, state, options, signal);
  return held ? { tables: held, unfit: [] } : meantTables(config, source, options, signal);
}

async function tablesIfHeld(config: Config, state: StateStore, { table }: ExportOptions, signal: AbortSignal) {
  try {
    const known = (await state.known(signal)).map(({ name, folder }) => ({ name, folder, columns: [] }));
    const tables = exportedTables(config, known, table);
    const standing = await state.standing(tables, signal);
    return standing.length > 0 && standing.every(({ held }) => held !== null) ? tables : null;
  } catch (error) {
    // A table that no run has met yet.
    if (error instanceof TidemarkError && error.code === 'TABLE_UNKNOWN') return null;
    throw error;
  }
}

const isMissing = (error: unknown) => error instanceof TidemarkError && error.code === 'STATE_NOT_MIGRATED';

async function showDryRun(config: Config, options: ExportOptions, context: CommandContext): Promise<number> {
  await using source = openSource(config, context, null);
  const { tables, unfit } = await meantTables(config, source, options, context.signal);
  const marks = await marksForLook(config, tables, context);
  const { full = false } = options;
  const found: DryRunResult[] = unfit.map(({ name, error }) => ({ table: name, error }));
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

/** No state store is made for a look. */
async function marksForLook(config: Config, tables: TableSettings[], context: CommandContext) {
  try {
    await using state = await openStateOf(config, context, 'never');
    return await state.marks(tables.map(({ folder }) => folder));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
