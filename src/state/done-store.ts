/** The state store's part in what was done when: what a daemon goes on from, and people are told. Invariant: as StateStore's. */

import {
  type ExportedMinute,
  exportedMinutes,
  type LastExport,
  lastExports,
  lastWork,
  type NotedWork,
  noteWork,
} from './daemon-work.ts';
import type { StateDatabase } from './database.ts';

export class DoneStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** When each table was last exported, for a daemon. */
  async lastExports(signal: AbortSignal): Promise<LastExport[]> {
    return this.#database.transact('read when tables were exported', lastExports, signal);
  }

  /** What was exported in each minute of the last `ms`, for a daemon's charts. */
  async exportedMinutes(ms: number, signal: AbortSignal): Promise<ExportedMinute[]> {
    return this.#database.transact('read what was exported', (tx) => exportedMinutes(tx, ms), signal);
  }

  /** When a daemon last did work of a kind for which nothing else tells, by name: milliseconds since 1970. */
  async lastWork(kind: NotedWork, signal: AbortSignal): Promise<Map<string, number>> {
    return this.#database.transact('read what was done', (tx) => lastWork(tx, kind), signal);
  }

  /** Notes that such work was done just now. */
  async noteWork(kind: Exclude<NotedWork, 'reconcile'>, names: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#database.transact('note what was done', (tx) => noteWork(tx, kind, names), signal);
  }

  /** Notes that a reconciliation of the table was done just now, and how many deleted rows it found. */
  async noteReconciled(name: string, deleted: bigint, signal: AbortSignal): Promise<void> {
    return this.#database.transact(
      'note what was done',
      (tx) => noteWork(tx, 'reconcile', [name], String(deleted)),
      signal,
    );
  }
}
