/** Opens what an export works with, as the configuration says. Invariant: the source sees at most `source.connections` in all. */

import os from 'node:os';
import type { Config } from '../config/config.ts';
import { fittingTables, type UnfitTable } from '../config/fitting-tables.ts';
import type { KnownTable } from '../config/resolve-tables.ts';
import { selectTables } from '../config/select-tables.ts';
import type { TableSettings } from '../model/table.ts';
import { connect, requireVersion } from '../postgres/connect.ts';
import { betterKnown } from '../postgres/relation-kind.ts';
import { serverName } from '../postgres/server-name.ts';
import { Source } from '../postgres/source.ts';
import { listTables } from '../postgres/tables.ts';
import { openState } from '../state/open-state.ts';
import { SourcePlaces } from '../state/source-places.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';

/** How many connections may read: a state store in the source's database takes one of them. */
export function readersOf({ source, state }: Pick<Config, 'source' | 'state'>): number {
  return source.connections - (state.isSource ? 1 : 0);
}

/**
 * `state`: where the connections of all processes are counted; null, for a brief look: nowhere. Close the source before it,
 * for the places are given back then. `patience`: for a connection while other processes have all, limited in commands of a
 * schedule; then CONNECTIONS_HELD is thrown.
 */
export function openSource(
  config: Config,
  { env, log }: Pick<CommandContext, 'env' | 'log'>,
  state: StateStore | null,
  patience: 'limited' | 'endless' = 'endless',
): Source {
  const { primary, url } = config.source;
  const max = readersOf(config);
  const ttlMs = config.defaults.leaseMs;
  // Longer than a dead process counts. Without a limit the commands of a schedule would pile up behind a large table.
  const patienceMs = patience === 'limited' ? 1.5 * ttlMs : null;
  const at = { source: serverName(url, env), most: max, holder: holderOf(), ttlMs, patienceMs };
  return new Source({
    connect: (signal) => connect({ role: 'source', ...config.source, env }, signal),
    max,
    places: state && new SourcePlaces(state, at, log),
    statementTimeoutMs: config.source.statementTimeoutMs,
    primary:
      primary === null
        ? null
        : { connect: (signal) => connect({ role: 'source', ...config.source, url: primary, env }, signal) },
  });
}

/** Who holds leases and connections, for people. */
export function holderOf(): string {
  return `${os.hostname()} pid ${process.pid}`;
}

/** The state store, brought up to date when that is wanted and, if it is given, `checkBefore` succeeds. */
export function openStateOf(
  config: Config,
  context: CommandContext,
  migrate: 'if-needed' | 'never',
  checkBefore?: () => Promise<void>,
): Promise<StateStore> {
  const options = { ...config.state, maxConnections: 1, migrate, checkBefore, env: context.env };
  return openState(options, context.log, context.signal);
}

/**
 * The tables that are meant: all that are configured, or those named by --table. `unfit`: those of all that cannot be
 * exported as they are configured; a table that was dropped must not keep the others from being exported.
 * Throws SOURCE_*, CONFIG_INVALID; TABLE_*, RELATION_KIND, FOLDER_CLASH for a table that was named, or when none fits.
 */
export async function meantTables(
  config: Config,
  source: Source,
  wanted: { table?: string[]; all?: boolean },
  signal: AbortSignal,
): Promise<{ tables: TableSettings[]; unfit: UnfitTable[] }> {
  const known: KnownTable[] = await source.use(async (client) => {
    await requireVersion(client);
    return listTables(client, config.state.isSource ? config.state.schema : null);
  }, signal);
  const better = <E>(error: E) => source.use((client) => betterKnown(client, error), signal);
  const { tables, unfit } = fittingTables(config, known);
  try {
    if (wanted.table?.length) return { tables: selectTables(wanted.table, tables, known, unfit), unfit: [] };
    if (tables.length === 0 && unfit.length > 0) throw unfit[0].error;
  } catch (error) {
    throw await better(error);
  }
  const told = [];
  for (const { name, error } of unfit) told.push({ name, error: await better(error) });
  return { tables, unfit: told };
}

/** The tables of meantTables() that can be worked on. */
export async function wantedTables(...asked: Parameters<typeof meantTables>): Promise<TableSettings[]> {
  return (await meantTables(...asked)).tables;
}
