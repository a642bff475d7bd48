/** The state store's part in archives: runs that leave it, and what is known of them then. Invariant: as StateStore's. */

import {
  type Archive,
  type ArchivedRun,
  archivesAfter,
  countOldRuns,
  noteArchive,
  type OldRuns,
  oldRuns,
  throughRun,
} from './archives.ts';
import { READING, type StateDatabase, type StateTx } from './database.ts';
import type { Lease } from './leases.ts';

export class ArchiveStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** How many runs of the table may go into an archive: all that were committed so long ago, but for the newest. */
  async countOldRuns(folder: string, old: OldRuns, signal: AbortSignal): Promise<number> {
    return this.#database.transact('look for old runs', (tx) => countOldRuns(tx, folder, old), signal);
  }

  /** The oldest of these, in order, for one archive: `most` counts their files and runs. */
  async oldRuns(folder: string, old: OldRuns, most: number, signal: AbortSignal): Promise<ArchivedRun[]> {
    return this.#database.transact('read old runs', (tx) => oldRuns(tx, folder, old, most), signal, READING);
  }

  /** All archives of the table, in order, and the last run that its staged table holds (0: none). */
  async archives(folder: string, signal: AbortSignal): Promise<{ archives: Archive[]; through: bigint }> {
    const read = async (tx: StateTx) => ({
      archives: await archivesAfter(tx, folder, 0n),
      through: await throughRun(tx, folder),
    });
    return this.#database.transact('list the archives', read, signal, READING);
  }

  /** Lets an archive in the lake stand for its runs, or for archives that it replaces. Repeatable. Throws LEASE_LOST. */
  async noteArchive(lease: Lease, archive: Archive, replaces: string[], signal: AbortSignal): Promise<void> {
    return this.#database.transact('note an archive', (tx) => noteArchive(tx, lease, archive, replaces), signal);
  }
}
