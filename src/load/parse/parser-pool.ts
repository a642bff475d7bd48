/**
 * Worker threads that read drops. Invariant: every drop is answered; one that kills its thread is dead, and the thread is replaced.
 */

import type { ReadDrop } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import { type Answered, PoolWorker, type Work } from './pool-worker.ts';
import type { RowsDrop } from './rows.ts';

/** A drop's bytes, which the pool takes over, or where it lies. */
export type DropSource = { bytes: Uint8Array<ArrayBuffer> } | { path: string };

export class ParserPool implements AsyncDisposable {
  readonly #settings: LoadSettings;
  #workers: PoolWorker[] = [];
  #waiting: Work[] = [];
  #closed = false;

  private constructor(settings: LoadSettings) {
    this.#settings = settings;
  }

  /** Starts the threads. Throws CONFIG_INVALID for a transform that does not load or a default that its column refuses. */
  static async open(settings: LoadSettings, workers: number): Promise<ParserPool> {
    const pool = new ParserPool(settings);
    try {
      pool.#workers = Array.from({ length: workers }, () => pool.#worker());
      await Promise.all(pool.#workers.map(({ ready }) => ready));
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Never rejects for what is wrong with the drop. `number`: in its batch, the first field of its rows. */
  async parse(source: DropSource, drop: RowsDrop, signal: AbortSignal): Promise<ReadDrop> {
    const answer = await this.#ask(source, drop, null, signal);
    if (answer.kind === 'died') return { state: 'dead', reason: answer.reason };
    if (answer.kind !== 'read') throw new Error(`a thread answered ${answer.kind}`);
    const { read } = answer;
    if (read.state !== 'parsed') return read;
    // A Buffer comes out of a message as a plain Uint8Array.
    const { buffer, byteOffset, byteLength } = read.rows;
    return { ...read, rows: Buffer.from(buffer, byteOffset, byteLength) };
  }

  /** The original text of some lines, for rows that the target refuses; what cannot be read any more is left out. */
  async lines(source: DropSource, drop: RowsDrop, lines: number[], signal: AbortSignal): Promise<Map<number, string>> {
    const answer = await this.#ask(source, drop, lines, signal);
    return answer.kind === 'lines' ? answer.lines : new Map();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const work of this.#waiting.splice(0)) work.fail(new Error('the pool is closed'));
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  #ask(source: DropSource, drop: RowsDrop, lines: number[] | null, signal: AbortSignal): Promise<Answered> {
    signal.throwIfAborted();
    if (this.#closed) throw new Error('the pool is closed');
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== work);
        reject(signal.reason);
      };
      const work: Work = {
        task: { source, drop, lines },
        done: (answer) => {
          signal.removeEventListener('abort', abort);
          resolve(answer);
        },
        fail: (error) => {
          signal.removeEventListener('abort', abort);
          reject(error);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(work);
      this.#hand();
    });
  }

  #worker(): PoolWorker {
    return new PoolWorker(this.#settings, {
      free: () => this.#hand(),
      died: (worker, unanswered, error) => this.#replace(worker, unanswered, error),
    });
  }

  /** The emptiest thread first, so that none idles while another has two. */
  #hand(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#workers.toSorted((a, b) => a.busy - b.busy).find((one) => one.takes(this.#waiting[0]));
      if (!worker) return;
      worker.give(this.#waiting.shift()!);
    }
  }

  #replace(worker: PoolWorker, unanswered: Work[], error: Error | null): void {
    if (this.#closed) return;
    this.#waiting.unshift(...unanswered);
    this.#workers = this.#workers.filter((other) => other !== worker);
    // One that never came up would not come up the next time either.
    if (error === null) this.#workers.push(this.#worker());
    else if (this.#workers.length === 0) for (const work of this.#waiting.splice(0)) work.fail(error);
    this.#hand();
  }
}
