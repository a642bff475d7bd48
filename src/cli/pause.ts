/** `tidemark pause` and `tidemark resume`: tables that nobody shall begin to work on. Invariant: a table that the state store knows needs no source. */

import os from 'node:os';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { ambiguous } from '../config/resolve-tables.ts';
import { candidates, splitNames, writtenName } from '../config/table-pattern.ts';
import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { Wanted } from '../state/leases.ts';
import type { CommandContext } from './context.ts';
import { formatTable, toSecond } from './format.ts';
import { openSource, openStateOf, wantedTables } from './open-source.ts';

export type PauseOptions = { table?: string[]; all?: boolean };

/** Exit code 0. A run that is under way ends normally. Throws STATE_*, TABLE_*, FOLDER_CLASH, and SOURCE_* where the source must be asked. */
export async function runPause({ table = [], all = false }: PauseOptions, context: CommandContext): Promise<number> {
  const { out, quiet, signal } = context;
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'if-needed');
  const { found, unknown } = all ? { found: [], unknown: [] } : lookUp(await state.known(signal), table);
  const configured = all || unknown.length > 0 ? await fromSource(config, context, { table: unknown, all }) : [];
  const tables = await state.pause([...found, ...configured], whoAmI(), signal);
  out.json({
    tables: tables.map((each) => ({
      table: displayName(each.table),
      state: 'paused',
      paused_by: each.by,
      paused_at: each.at,
      before: each.before,
      worked_on_by: each.lease,
    })),
  });
  const rows = tables.map(({ table, by, at, before, lease }) => [
    displayName(table),
    before ? `was paused already, by ${by} since ${toSecond(at)}` : 'paused',
    lease === null ? '' : `${lease} still works on it, to the end`,
  ]);
  if (!quiet) for (const line of formatTable(rows)) out.line(line);
  return 0;
}

/** Exit code 0, also for tables that were not paused. Throws STATE_*, TABLE_*. */
export async function runResume({ table = [], all = false }: PauseOptions, context: CommandContext): Promise<number> {
  const { out, quiet, signal } = context;
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'if-needed');
  const known = await state.known(signal);
  const { found, unknown } = all ? { found: known.filter(({ paused }) => paused), unknown: [] } : lookUp(known, table);
  if (unknown.length > 0) {
    throw new TidemarkError('TABLE_UNKNOWN', `no export and no pause has met a table ${unknown[0]}`, {
      table: unknown[0],
      hint: 'tidemark status lists the tables, and who paused which',
    });
  }
  const resumed = await state.resume(
    found.map(({ folder }) => folder),
    signal,
  );
  const byFolder = new Map(resumed.map((each) => [each.folder, each]));
  const results = found.map(({ name, folder }) => ({ table: displayName(name), was: byFolder.get(folder) }));
  out.json({
    tables: results.map(({ table, was }) => ({
      table,
      state: was ? 'resumed' : 'not_paused',
      paused_by: was?.by ?? null,
      paused_at: was?.at ?? null,
    })),
  });
  if (quiet) return 0;
  const rows = results.map(({ table, was }) => [
    table,
    was ? `resumed; ${was.by} had paused it at ${toSecond(was.at)}` : 'was not paused',
  ]);
  for (const line of formatTable(rows)) out.line(line);
  if (results.length === 0) out.line('no table is paused');
  return 0;
}

/** The named tables, each of its folders; names that the state store does not know are given back. Throws USAGE, TABLE_AMBIGUOUS. */
function lookUp<T extends Wanted>(known: T[], wanted: string[]): { found: T[]; unknown: string[] } {
  const found = new Set<T>();
  const unknown: string[] = [];
  for (const pattern of wanted.flatMap(splitNames)) {
    const written = writtenName(pattern);
    const there = candidates(pattern, distinct(known));
    if (there.length > 1) throw ambiguous(written, there);
    if (there.length === 0) unknown.push(written);
    for (const each of known) if (there[0] && displayName(each.name) === displayName(there[0].name)) found.add(each);
  }
  return { found: [...found], unknown };
}

/** One of each name: a table that was exported to two folders is no two tables. */
function distinct<T extends { name: TableName }>(known: T[]): T[] {
  return [...new Map(known.map((each) => [displayName(each.name), each])).values()];
}

async function fromSource(config: Config, { env, signal }: CommandContext, wanted: PauseOptions): Promise<Wanted[]> {
  await using source = openSource(config, env);
  return await wantedTables(config, source, wanted, signal);
}

/** For people: who did it, from which machine. */
function whoAmI(): string {
  let user: string;
  try {
    user = os.userInfo().username;
  } catch {
    // A container may run as a number that has no name.
    user = `uid ${process.getuid?.()}`;
  }
  return `${user}@${os.hostname()}`;
}
