/** Opens what an export works with, as the configuration says. Invariant: the source sees at most `source.connections` in all. */

import os from 'node:os';
import type { Config } from '../config/config.ts';
import { type KnownTable, resolveTables } from '../config/resolve-tables.ts';
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

/** The tables that are meant: all that are configured, or those named by --table. Throws SOURCE_*, TABLE_*, RELATION_KIND, FOLDER_CLASH. */
export async function wantedTables(
  config: Config,
  source: Source,
  wanted: { table?: string[]; all?: boolean },
  signal: AbortSignal,
): Promise<TableSettings[]> {
  const known: KnownTable[] = await source.use(async (client) => {
    await requireVersion(client);
    return listTables(client, config.state.isSource ? config.state.schema : null);
  }, signal);
  try {
    const configured = resolveTables(config, known);
    return wanted.table?.length ? selectTables(wanted.table, configured, known) : configured;
  } catch (error) {
    throw await source.use((client) => betterKnown(client, error), signal);
  }
}
