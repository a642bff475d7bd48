/** `tidemark reconcile`: rows that were deleted in the source, as deletes to raw/. */

import { compactDeps } from '../compact/compact-deps.ts';
import { openEngine } from '../compact/open-engine.ts';
import { loadConfig } from '../config/load-config.ts';
import { exportDeps } from '../export/export-deps.ts';
import { openLake } from '../lake/open.ts';
import { reconcileTables } from '../reconcile/reconcile-tables.ts';
import type { CommandContext } from './context.ts';
import { holderOf, openSource, openStateOf, wantedTables } from './open-source.ts';
import { reconcileProgress } from './reconcile-progress.ts';
import { exitCodeOfReconciled, printReconciled, reconciledJson } from './reconcile-result.ts';

export type ReconcileOptions = { table?: string[]; all?: boolean; acceptDeletes?: boolean; dryRun?: boolean };

/** Exit code 0, or 1, 3, 4 by what became of the tables. Throws what concerns all of them. */
export async function runReconcile(options: ReconcileOptions, context: CommandContext): Promise<number> {
  const { all = false, acceptDeletes = false, dryRun = false } = options;
  const { log, out, secrets, signal } = context;
  const config = await loadConfig(context);
  // Before the source: connections to it are counted there.
  await using state = await openStateOf(config, context, 'if-needed');
  await using source = openSource(config, context, state, 'limited');
  const tables = await wantedTables(config, source, options, signal);
  await using lake = await openLake(config.lake);
  await using engine = await openEngine(config, lake, context);
  const deps = {
    export: exportDeps({ source, state, lake, log }),
    compact: compactDeps(config, engine, { state, lake, log }),
  };
  const progress = reconcileProgress(context.screen, log);
  const request = { tables, acceptDeletes, dryRun, holder: holderOf(), leaseMs: config.defaults.leaseMs };
  const results = await reconcileTables(deps, { ...request, onProgress: progress.advanced }, progress.ended, signal);
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  out.json({ tables: results.map((result) => reconciledJson(result, dryRun, secrets)) });
  printReconciled(results, context);
  signal.throwIfAborted();
  return exitCodeOfReconciled(results, !all);
}
