/**
 * The whole manifest of a table: archives in the lake first, then what the state store has. Invariant: runs come in order, each once,
 * also while some of them move from the one to the other; an archive that nobody asks for is not opened.
 */

import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import type { Archive, ArchivedRun } from '../state/archives.ts';
import { instantText } from '../state/mark-json.ts';
import type { RawFileOfRun } from '../state/raw-files.ts';
import type { RawRun, Until } from '../state/raw-runs.ts';
import type { StateStore } from '../state/state-store.ts';
import { brokenArchive, readArchive } from './archive-file.ts';

type Sources = { state: Pick<StateStore, 'rawRuns' | 'rawFiles'>; lake: Pick<Lake, 'get'> };

export class Manifest {
  readonly #sources: Sources;
  /** The archive that was read last: a reader asks for it a page at a time. */
  #opened: { key: string; runs: Promise<ArchivedRun[]> } | null = null;

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /**
   * Committed runs of the table after `after`, in order, beginning with the last full one when there is one among them; `until`: none
   * that was exported later. Not all at once: for those after them call again with the last one's number; empty: there are no more.
   * Throws STATE_*, LAKE_*, MANIFEST_BROKEN.
   */
  async runs(folder: string, after: bigint, until: Until, signal: AbortSignal): Promise<RawRun[]> {
    const { state } = this.#sources;
    return this.#whileMoving(async () => {
      for (let from = after; ; ) {
        const page = await state.rawRuns(folder, from, signal, until);
        if (page.archives === null) return page.runs;
        const last = await this.#last(page.archives, page.until, signal);
        const first = await this.#firstFull(page.archives, last, signal);
        for (const archive of reached(page.archives, from, first, last)) {
          const runs = await this.#read(archive, signal);
          const found = runs.filter(({ run }) => run > from && run >= first && run <= last);
          if (found.length > 0) return found.map(rawRun);
        }
        from = page.archives.at(-1)!.toRun;
      }
    });
  }

  /**
   * Every committed raw file of the runs after `after`, those of `most` runs and more: for the next ones call again with the last
   * one's run; empty: there are no more. Throws STATE_*, LAKE_*, MANIFEST_BROKEN.
   */
  async files(folder: string, after: bigint, most: number, signal: AbortSignal): Promise<RawFileOfRun[]> {
    const { state } = this.#sources;
    return this.#whileMoving(async () => {
      const page = await state.rawFiles(folder, after, most, signal);
      if (page.archives === null) return page.files;
      const runs = await this.#read(page.archives[0], signal);
      return runs.flatMap(({ run, files }) => (run > after ? files.map((file) => ({ ...file, run })) : []));
    });
  }

  /** The last run that is wanted: where the state store could not tell, no run that it has is old enough. */
  async #last(archives: Archive[], { run, at }: Until, signal: AbortSignal): Promise<bigint> {
    const most = run ?? EVER;
    if (at === undefined) return most;
    const until = instantText(at);
    const newest = archives.findLast(({ fromAt }) => fromAt <= until);
    if (!newest) return 0n;
    const found = (await this.#read(newest, signal)).findLast(({ snapshotAt }) => snapshotAt <= until)!.run;
    return found < most ? found : most;
  }

  /** The last full run up to `last`; 0: the archives hold none. */
  async #firstFull(archives: Archive[], last: bigint, signal: AbortSignal): Promise<bigint> {
    for (const archive of archives.toReversed()) {
      if (archive.full === null || archive.fromRun > last) continue;
      if (archive.full.run <= last) return archive.full.run;
      const found = (await this.#read(archive, signal)).findLast(({ full, run }) => full && run <= last);
      if (found) return found.run;
    }
    return 0n;
  }

  #read(archive: Archive, signal: AbortSignal): Promise<ArchivedRun[]> {
    if (this.#opened?.key !== archive.key) {
      const runs = readArchive(this.#sources.lake, archive, signal);
      const opened = { key: archive.key, runs };
      this.#opened = opened;
      runs.catch(() => {
        if (this.#opened === opened) this.#opened = null;
      });
    }
    return this.#opened!.runs;
  }

  /** Again, where an archive is gone: archives that were joined are removed, and the state store names the new one by then. */
  async #whileMoving<T>(read: () => Promise<T>): Promise<T> {
    const missed = new Set<string>();
    for (;;) {
      try {
        return await read();
      } catch (error) {
        const { code, place } = error instanceof TidemarkError ? error : { code: null, place: {} };
        if (code !== 'LAKE_NOT_FOUND' || place.key === undefined) throw error;
        if (missed.has(place.key)) throw brokenArchive(place.key, 'it is not there', error);
        missed.add(place.key);
      }
    }
  }
}

const EVER = 2n ** 63n - 1n;

/** Archives with runs that are wanted. */
function reached(archives: Archive[], after: bigint, first: bigint, last: bigint): Archive[] {
  return archives.filter(({ fromRun, toRun }) => toRun > after && toRun >= first && fromRun <= last);
}

function rawRun({ run, full, snapshotAt, rows, bytes, files }: ArchivedRun): RawRun {
  return { run, full, snapshotAt, rows, bytes, files };
}
