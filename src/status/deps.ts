/** What the status server is given. Invariant: it reads; what it changes, it asks the board for. */

import type { Logger } from 'pino';
import type { Engine } from '../compact/open-engine.ts';
import type { Config } from '../config/config.ts';
import type { Board } from '../daemon/board.ts';
import type { Lake } from '../lake/lake.ts';
import type { StateStore } from '../state/state-store.ts';

export type StatusDeps = {
  board: Board;
  /** The one in force: a reload changes it. `status.listen` is read once, at the start. */
  config: () => Config;
  env: Record<string, string | undefined>;
  state: StateStore;
  lake: Lake;
  /** Opens one that nobody else uses, with a DuckDB of its own; who called it disposes of it. */
  engine: () => Promise<Engine>;
  log: Logger;
  /** Passwords and tokens; nothing that is answered holds one. Read at each answer. */
  secrets: readonly string[];
  /** Milliseconds since 1970. */
  clock: () => number;
  /** Open connections of this process to the source. */
  sourceConnections: () => number;
  /** Age of the oldest transaction of others in the source, as an export last saw it, in seconds; null: there is none, or it is hidden. */
  oldestForeign?: () => number | null;
  /** Bytes in this process's part of the spool; null: it is not open. */
  spoolBytes?: () => Promise<number | null>;
};

export type StatusServer = AsyncDisposable & {
  /** `http://127.0.0.1:9393`: where it listens in fact. */
  url: string;
};
