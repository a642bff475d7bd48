/** `tidemark compact`: what was exported into the staged tables. */

import { asOfFolder } from '../compact/as-of-folder.ts';
import { compactDeps, compactSettings } from '../compact/compact-deps.ts';
import { compactTables } from '../compact/compact-tables.ts';
import { openEngine } from '../compact/open-engine.ts';
import { loadConfig } from '../config/load-config.ts';
import { openLake } from '../lake/open.ts';
import { TidemarkError } from '../model/error.ts';
import { compactProgress } from './compact-progress.ts';
import { compactJson, printCompacted } from './compact-result.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { holderOf, openStateOf } from './open-source.ts';
import { stagedTables } from './staged-tables.ts';
import { parseTime } from './typed-time.ts';

export type CompactOptions = {
  table?: string[];
  all?: boolean;
  optimize?: boolean;
  rebuild?: boolean;
  asOf?: string;
  fullSchema?: boolean;
};

/** Exit code 0, or 1, 2, 3, 4 by what became of the tables. Throws what concerns all of them. The source is not contacted. */
export async function runCompact(options: CompactOptions, context: CommandContext): Promise<number> {
  const rebuild = rebuildOf(options);
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'if-needed');
  const tables = await stagedTables(config, state, options, context.signal);
  await using lake = await openLake(config.lake);
  await using engine = await openEngine(config, lake, context);
  const deps = compactDeps(config, engine, { state, lake, log: context.log });
  const request = {
    tables: tables.map(compactSettings),
    optimize: options.optimize ?? false,
    rebuild,
    fullSchema: options.fullSchema ?? false,
    // With --all, every few minutes, hundreds of logs would be listed to find nothing.
    look: !options.all,
    holder: holderOf(),
    leaseMs: config.defaults.leaseMs,
  };
  const progress = compactProgress(context.screen, context.log, deps.now);
  const ended = await compactTables(deps, request, progress, context.signal);
  const asOf = rebuild?.asOf ?? null;
  const results = ended.map((each) => (asOf === null ? each : { ...each, folder: asOfFolder(each.folder, asOf) }));
  // Before anything stands on stdout: what is drawn is erased by counting lines upwards.
  context.screen?.[Symbol.dispose]();
  context.out.json({ tables: results.map((result) => compactJson(result, asOf !== null, context.secrets)) });
  printCompacted(results, asOf !== null, context);
  context.signal.throwIfAborted();
  return exitCodeOfTables(results, !options.all);
}

function rebuildOf({ rebuild, asOf, optimize }: CompactOptions): { asOf: bigint | null } | null {
  if (asOf !== undefined && !rebuild) {
    throw new TidemarkError('USAGE', '--as-of goes with --rebuild', {
      hint: 'compact --table T --rebuild --as-of TIME',
    });
  }
  if (rebuild && optimize) {
    throw new TidemarkError('USAGE', '--rebuild and --optimize exclude each other', {
      hint: 'a table that is made anew is in order',
    });
  }
  if (!rebuild) return null;
  return { asOf: asOf === undefined ? null : parseTime(asOf, '--as-of') };
}
