/** `tidemark vacuum`: deletes the files under staged/ that nobody needs any more, and archives the manifest of old runs. */

import { openEngine } from '../compact/open-engine.ts';
import { type Vacuumed, vacuum } from '../compact/vacuum.ts';
import { loadConfig } from '../config/load-config.ts';
import { openLake } from '../lake/open.ts';
import { archiveTable } from '../manifest/archive-table.ts';
import { TidemarkError, toTidemarkError } from '../model/error.ts';
import { formatBytes, formatCount, formatTable } from '../model/format.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { CommandContext } from './context.ts';
import { errorParts, printErrors } from './error-output.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { holderOf, openStateOf } from './open-source.ts';
import { notStaged, stagedTables } from './staged-tables.ts';
import { parseSpan } from './typed-time.ts';

export type VacuumOptions = { table?: string[]; all?: boolean; dryRun?: boolean; retention?: string };

/** `archived`: runs whose manifest went into the lake. */
type Result = Vacuumed & { table: TableName; archived: number } & (
    | { state: 'vacuumed'; paths: string[] }
    | { state: 'failed'; error: TidemarkError }
  );

/** Exit code 0, or 1, 2, 3 by what became of the tables. Throws what concerns all of them. */
export async function runVacuum(options: VacuumOptions, context: CommandContext): Promise<number> {
  const { dryRun = false, retention } = options;
  const { signal, out, secrets } = context;
  const typedMs = retention === undefined ? null : retentionOf(retention);
  const config = await loadConfig(context);
  const retentionMs = typedMs ?? Math.max(config.defaults.retentionMs, LEAST_MS);
  await using state = await openStateOf(config, context, 'never');
  const tables = await stagedTables(config, state, options, signal);
  await using lake = await openLake(config.lake);
  await using engine = await openEngine(config, lake, context);
  const deps = { state, lake, log: context.log, step: async () => {} };
  if (!dryRun) await state.prune(signal);
  const results: Result[] = [];
  for (const settings of tables) {
    const paths: string[] = [];
    // Deleted files are counted; only a dry run lists them, and holds their names.
    const onFile = (path: string) => void (dryRun && paths.push(path));
    const table = { lake, root: `staged/${settings.folder}`, checkpoints: engine.checkpoints };
    const order = { retentionMs, dryRun, now: Date.now() };
    const who = { name: settings.name, folder: settings.folder, holder: holderOf(), leaseMs: config.defaults.leaseMs };
    // Neither waits for the other to be mended.
    const [archiving] = await Promise.allSettled([archiveTable(deps, { ...order, ...who }, signal)]);
    const [vacuuming] = await Promise.allSettled([vacuum(table, { ...order, onFile }, signal)]);
    signal.throwIfAborted();
    const archived = archiving.status === 'fulfilled' ? archiving.value : 0;
    const found = vacuuming.status === 'fulfilled' ? vacuuming.value : null;
    const [failed] = [archiving, vacuuming].filter((each) => each.status === 'rejected');
    const common = { table: settings.name, archived, ...(found ?? NOTHING) };
    if (failed) results.push({ ...common, state: 'failed', error: toTidemarkError(failed.reason) });
    else if (found || archived > 0) results.push({ ...common, state: 'vacuumed', paths });
    else if (!options.all) results.push({ ...common, state: 'failed', error: notStaged(settings.name) });
  }
  out.json({ tables: results.map((result) => vacuumJson(result, dryRun, secrets)) });
  print(results, dryRun, context);
  return exitCodeOfTables(results);
}

const NOTHING: Vacuumed = { files: 0, bytes: 0, kept: 0 };

const LEAST_MS = 3_600_000;

function retentionOf(typed: string): number {
  const ms = parseSpan(typed, '--retention');
  if (ms >= LEAST_MS) return ms;
  // A query or a compaction beside it that has opened an older version would lose files while it reads them.
  throw new TidemarkError('USAGE', `--retention: ${typed} is less than an hour, within which others may still read`, {
    hint: '--retention 1h is the least',
  });
}

function vacuumJson(result: Result, dryRun: boolean, secrets: readonly string[]) {
  const { table, files, bytes, kept, archived } = result;
  return {
    table: displayName(table),
    state: result.state,
    files,
    bytes,
    kept,
    archived_runs: archived,
    dry_run: dryRun,
    ...(result.state === 'failed'
      ? { error: errorParts(result.error, secrets) }
      : dryRun
        ? { paths: result.paths }
        : {}),
  };
}

function print(results: Result[], dryRun: boolean, { out, quiet, secrets }: CommandContext): void {
  const verb = dryRun ? 'would go' : 'deleted';
  const lines = formatTable(
    results.map((result) => {
      const table = displayName(result.table);
      if (result.state === 'failed') return [table, 'failed', result.error.code];
      if (result.files === 0) return [table, 'nothing to delete', '', `${formatCount(result.kept)} kept`];
      const files = `${formatCount(result.files)} ${result.files === 1 ? 'file' : 'files'} ${verb}`;
      return [table, files, formatBytes(result.bytes), `${formatCount(result.kept)} kept`];
    }),
  );
  for (const [i, result] of results.entries()) {
    if (!quiet) out.line(lines[i]);
    if (result.archived > 0 && !quiet)
      out.line(`  manifest: ${formatCount(result.archived)} runs ${dryRun ? 'would be ' : ''}archived`);
    if (result.state === 'vacuumed') for (const path of result.paths) out.line(`  ${path}`);
  }
  if (results.length === 0 && !quiet) out.line('no table has been compacted yet: tidemark compact --all');
  printErrors(results, out, secrets);
}
