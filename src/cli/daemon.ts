/** `tidemark daemon`: all of it on the schedule. */

import os from 'node:os';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { keptSnapshots } from '../compact/delta/kept-snapshots.ts';
import { openEngine } from '../compact/open-engine.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { askAgainAfter } from '../daemon/backoff.ts';
import { Board, type ShownError } from '../daemon/board.ts';
import { type Clock, systemClock } from '../daemon/clock.ts';
import { Daemon } from '../daemon/daemon.ts';
import { type SharedEngine, sharedEngine } from '../daemon/shared-engine.ts';
import type { Lake } from '../lake/lake.ts';
import { openLake } from '../lake/open.ts';
import { ERRORS, messageWithPlace, toTidemarkError } from '../model/error.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';
import { errorParts } from './error-output.ts';
import { holderOf, openSource, openStateOf, readersOf } from './open-source.ts';

export type DaemonOptions = { page?: boolean };

/** What DuckDB cannot work with less than. */
const SMALL_MEMORY = 64 * 2 ** 20;

/** More threads than this wait for the database. */
const MOST_WORKERS = 8;

/**
 * Until a signal stops it; exit code 0. Throws what is wrong with the configuration, and what no waiting mends. `clock` and `board`: for
 * who lets a day pass in minutes and looks on.
 */
export async function runDaemon(
  { page = true }: DaemonOptions,
  context: CommandContext,
  clock: Clock = systemClock,
  board = new Board(clock.now()),
): Promise<number> {
  // V8 lets its young generation grow to 100 MB and more, and never gives it back: a command has ended by then, a daemon stays so.
  setFlagsFromString('--semi-space-growth-factor=1');
  const { log, secrets, env, signal } = context;
  const config = await loadConfig(context);
  await using state = await stateWhenThere(config, context, clock);
  await using lake = await openLake(config.lake);
  await using source = openSource(config, context, state);
  const lasting = { log, livesOn: true, snapshots: keptSnapshots() };
  await using engine = sharedEngine(() => openEngine(config, lake, lasting));
  const daemon = new Daemon({
    config,
    reload: () => loadConfig(context),
    source,
    state,
    lake,
    engine,
    smallEngine: () => openEngine({ ...config, memoryBytes: SMALL_MEMORY, memoryIsFixed: true }, lake, lasting),
    loads: {
      env,
      temporary: config.spool.path,
      workers: Math.min(os.availableParallelism(), MOST_WORKERS),
      clock: Date.now,
      now: () => performance.now(),
      step: async () => {},
    },
    readers: readersOf(config),
    holder: holderOf(),
    board,
    clock,
    log,
    shown: (error) => shownError(error, secrets),
    random: Math.random,
  });
  // Before anything begins: a port that is taken is a mistake to hear of at once.
  await using _ = page ? await startPage(daemon, board, { config, state, lake, source, engine }, context) : null;
  context.onReload?.(() => void daemon.reload());
  log.info({ pid: process.pid }, 'daemon started');
  await daemon.run(signal);
  log.info('daemon stopped');
  return 0;
}

type Opened = {
  config: Config;
  state: StateStore;
  lake: Lake;
  source: ReturnType<typeof openSource>;
  engine: SharedEngine;
};

async function startPage(daemon: Daemon, board: Board, opened: Opened, context: CommandContext) {
  const { startStatus } = await import('../status/start-status.ts');
  const { config, state, lake, source, engine } = opened;
  const deps = {
    board,
    config: () => daemon.config(),
    env: context.env,
    state,
    lake,
    engine: () => openEngine(config, lake, { log: context.log, livesOn: true }),
    log: context.log,
    secrets: context.secrets,
    clock: Date.now,
    sourceConnections: () => source.opened,
    oldestForeign: () => source.oldestForeignSeconds,
    spoolBytes: async () => (await engine.opened())?.spool.used() ?? null,
  };
  return startStatus(deps, context.signal);
}

/** The state store; one that cannot be reached yet is waited for, as it would be once the daemon runs. */
async function stateWhenThere(config: Config, context: CommandContext, clock: Clock): Promise<StateStore> {
  const { log, signal } = context;
  // Each repeat would be a line; that it is away is said once.
  const quiet: Logger = Object.assign(Object.create(log), { warn: log.debug.bind(log) });
  for (let times = 1; ; times++) {
    try {
      return await openStateOf(config, { ...context, log: quiet }, 'if-needed');
    } catch (error) {
      signal.throwIfAborted();
      if (!ERRORS[toTidemarkError(error).code].retried) throw error;
      if (times === 1) log.warn({ service: 'state', err: error }, 'away; the daemon begins when it is there');
      await clock.sleep(askAgainAfter(times, Math.random()), signal);
      signal.throwIfAborted();
    }
  }
}

function shownError(error: unknown, secrets: readonly string[]): ShownError {
  const parts = errorParts(toTidemarkError(error), secrets);
  return { code: parts.code, message: messageWithPlace(parts), hint: parts.hint };
}
