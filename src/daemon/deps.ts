/** What a daemon works with. */

import type { Logger } from 'pino';
import type { Engine } from '../compact/open-engine.ts';
import type { Config } from '../config/config.ts';
import type { Lake } from '../lake/lake.ts';
import type { LoadsDeps } from '../load/run-loads.ts';
import type { Source } from '../postgres/source.ts';
import type { StateStore } from '../state/state-store.ts';
import type { Board, ShownError } from './board.ts';
import type { Clock } from './clock.ts';
import type { SharedEngine } from './shared-engine.ts';

export type DaemonDeps = {
  config: Config;
  /** Reads the configuration anew. Throws CONFIG_*, ENV_MISSING. */
  reload: () => Promise<Config>;
  source: Source;
  state: StateStore;
  lake: Lake;
  /** Opened at its first use, and once. */
  engine: SharedEngine;
  /** One with little memory; who called it disposes of it. */
  smallEngine: () => Promise<Engine>;
  loads: Omit<LoadsDeps, 'log'>;
  readers: number;
  /** Who holds the leases, for people: host and process. */
  holder: string;
  board: Board;
  clock: Clock;
  log: Logger;
  shown: (error: unknown) => ShownError;
  random: () => number;
};
