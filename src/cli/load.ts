/** `tidemark load`: event files into Postgres, all that are there now. */

import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../config/load-config.ts';
import { selectLoads } from '../config/select-loads.ts';
import { hasDate, parseDays } from '../load/days.ts';
import { dryRunLoad } from '../load/dry-run.ts';
import type { LoadSettings } from '../load/settings.ts';
import { TidemarkError } from '../model/error.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { loadProgress } from './load-progress.ts';
import { dryRunLoadJson, loadJson, printLoadDryRun, printLoads } from './load-result.ts';

export type LoadOptions = { names: string[]; replay?: boolean; dryRun?: boolean; create?: boolean; date?: string };

/** More threads than this wait for the database. */
const MOST_WORKERS = 8;

/** Exit code 0; 1 when a drop is dead or a load failed (2 or 3 when every one did so untouched). Throws what concerns all of them. */
export async function runLoad(options: LoadOptions, context: CommandContext): Promise<number> {
  const days = options.date === undefined ? null : parseDays(options.date);
  const config = await loadConfig(context);
  const loads = selectLoads(options.names, config.loads);
  requireOne(options);
  if (days !== null) requireDates(loads);
  if (options.create) return create(loads, context);
  if (options.dryRun) return dryRun(loads, days, config.spool.path, context);
  const { runLoads } = await import('../load/run-loads.ts');
  const work = {
    env: context.env,
    log: context.log,
    temporary: config.spool.path,
    workers: Math.min(os.availableParallelism(), MOST_WORKERS),
    clock: Date.now,
    now: () => performance.now(),
    step: async () => {},
  };
  const progress = (load: string) => loadProgress(load, context.screen, context.log, work.now);
  const results = await runLoads(work, { loads, days, replay: options.replay ?? false }, progress, context.signal);
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  context.out.json({ loads: results.map((result) => loadJson(result, context.secrets)) });
  printLoads(results, context);
  const code = exitCodeOfTables(results);
  return code === 0 && results.some(({ totals }) => totals.deadDrops > 0) ? 1 : code;
}

function requireOne({ replay, dryRun, create }: LoadOptions): void {
  if ([replay, dryRun, create].filter(Boolean).length < 2) return;
  throw new TidemarkError('USAGE', '--replay, --dry-run and --create exclude each other', { hint: 'one at a time' });
}

function requireDates(loads: LoadSettings[]): void {
  const without = loads.find(({ from }) => !hasDate(from));
  if (without === undefined) return;
  throw new TidemarkError('USAGE', `--date goes with a pattern with days in it, and load ${without.name} has none`, {
    hint: 'from: s3://bucket/events/{yyyy}-{mm}-{dd}/*.json.gz; or name the loads that have one',
  });
}

async function create(loads: LoadSettings[], { out }: CommandContext): Promise<number> {
  const { createTable } = await import('../load/target/create-table.ts');
  const texts = loads.map((settings) => ({ load: settings.name, sql: createTable(settings) }));
  out.json({ loads: texts });
  for (const [i, { sql }] of texts.entries()) {
    if (i > 0) out.line();
    out.line(sql);
  }
  return 0;
}

async function dryRun(
  loads: LoadSettings[],
  days: string[] | null,
  temporary: string,
  context: CommandContext,
): Promise<number> {
  const [{ openDropSource }, { ParserPool }, { daysOf }] = await Promise.all([
    import('../load/open-drop-source.ts'),
    import('../load/parse/parser-pool.ts'),
    import('../load/run-loads.ts'),
  ]);
  const found = [];
  for (const settings of loads) {
    await using source = await openDropSource(settings, path.join(temporary, 'drops'));
    await using pool = await ParserPool.open(settings, 1);
    const request = {
      load: settings.name,
      columns: settings.columns.map(({ name }) => name),
      days: daysOf(settings, days, Date.now()),
    };
    found.push(await dryRunLoad({ source, pool }, request, context.signal));
  }
  context.out.json({ loads: found.map(dryRunLoadJson) });
  for (const each of found) printLoadDryRun(each, context);
  return 0;
}
