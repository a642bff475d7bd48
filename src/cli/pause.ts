/** `tidemark pause` and `tidemark resume`: tables that nobody shall begin to work on. Invariant: a table that the state store knows needs no source. */

import os from 'node:os';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { TidemarkError } from '../model/error.ts';
import { formatTable, toSecond } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { Wanted } from '../state/leases.ts';
import type { CommandContext } from './context.ts';
import { namedTables } from './named-tables.ts';
import { openSource, openStateOf, wantedTables } from './open-source.ts';

export type PauseOptions = { table?: string[]; all?: boolean };

/** Exit code 0. A run that is under way ends normally. Throws STATE_*, TABLE_*, FOLDER_CLASH, and SOURCE_* where the source must be asked. */
export async function runPause({ table = [], all = false }: PauseOptions, context: CommandContext): Promise<number> {
  const { out, quiet, signal } = context;
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'if-needed');
  const { found, unknown } = all ? { found: [], unknown: [] } : namedTables(await state.known(signal), table);
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
  const { found, unknown } = all
    ? { found: known.filter(({ paused }) => paused), unknown: [] }
    : namedTables(known, table);
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

async function fromSource(config: Config, context: CommandContext, wanted: PauseOptions): Promise<Wanted[]> {
  await using source = openSource(config, context, null);
  return await wantedTables(config, source, wanted, context.signal);
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
