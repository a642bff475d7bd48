/** One thread of the pool and what it has to do. Invariant: answers come in the order of the tasks; the first without one is what it works on. */

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, TidemarkError } from '../../model/error.ts';
import type { LoadSettings } from '../settings.ts';
import type { Answer, Task, WorkerStart } from './messages.ts';

export type Died = { kind: 'died'; reason: string };

export type Work = {
  task: Task;
  done(answer: Answered): void;
  fail(error: Error): void;
};

export type Answered = Extract<Answer, { kind: 'read' | 'lines' }> | Died;

type Owner = {
  /** It can take another task. */
  free(): void;
  /** `error`: it never came up. */
  died(worker: PoolWorker, unanswered: Work[], error: Error | null): void;
};

/** So many at a time: the next one is there when the first is done. */
const AHEAD = 2;
/** Up to here a drop's bytes are copied to the thread, so that they are still there if it dies of the drop before; beyond it they go alone. */
const COPIED_BYTES = 1024 * 1024;
/** Of one drop. A transform that never returns is found so. */
const MOST_MS = 15 * 60_000;
/** A transform's rows are objects, which die young; without one there are next to none, and 2 MB take 40 MB less. */
const youngMb = (settings: LoadSettings): number => (settings.transform === null ? 2 : 16);

export class PoolWorker {
  /** Rejects when it cannot work. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #owner: Owner;
  readonly #tempFolder = join(tmpdir(), `tidemark-load-${randomUUID()}`);
  #works: Work[] = [];
  #up = false;
  #gone = false;
  #late: NodeJS.Timeout | undefined;
  #cause: string | null = null;

  constructor(settings: LoadSettings, owner: Owner) {
    this.#owner = owner;
    // Compiled or not, the worker has the suffix that this module has.
    const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./parse-worker.${suffix}`, import.meta.url), {
      workerData: { settings, tempFolder: this.#tempFolder } satisfies WorkerStart,
      resourceLimits: { maxYoungGenerationSizeMb: youngMb(settings), maxOldGenerationSizeMb: 256 },
      stdout: true,
    });
    // What a transform prints must not get into the results on stdout.
    this.#worker.stdout.on('data', (chunk) => process.stderr.write(chunk));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    // Nobody waits for a replacement.
    promise.catch(() => {});
    this.#worker.on('message', (answer: Answer) => this.#answered(answer, resolve, reject));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#cause ??= error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : error.message;
    });
    this.#worker.on('exit', (code) => {
      const error = this.#up ? null : new Error(`a parsing thread did not start: ${this.#cause ?? `exit ${code}`}`);
      if (error) reject(error);
      this.#died(this.#cause ?? `it ended with exit code ${code}`, error);
    });
  }

  get busy(): number {
    return this.#works.length;
  }

  takes({ task }: Work): boolean {
    if (!this.#up || this.#gone || this.#works.length >= AHEAD) return false;
    return this.#works.length === 0 || !(isLarge(task) || this.#works.some((work) => isLarge(work.task)));
  }

  give(work: Work): void {
    this.#works.push(work);
    const { source } = work.task;
    if ('bytes' in source && isLarge(work.task) && isAlone(source.bytes)) {
      this.#worker.postMessage(work.task, [source.bytes.buffer as ArrayBuffer]);
    } else {
      this.#worker.postMessage(work.task);
    }
    if (this.#works.length === 1) this.#watch();
  }

  async close(): Promise<void> {
    this.#gone = true;
    clearTimeout(this.#late);
    for (const work of this.#works.splice(0)) work.fail(new Error('the pool is closed'));
    await this.#worker.terminate();
    await this.#clean();
  }

  #answered(answer: Answer, resolve: () => void, reject: (error: Error) => void): void {
    if (this.#gone) return;
    if (answer.kind === 'ready') {
      this.#up = true;
      resolve();
    } else if (answer.kind === 'refused') {
      reject(errorOf(answer));
    } else {
      const work = this.#works.shift()!;
      this.#watch();
      if (answer.kind === 'failed') work.fail(errorOf(answer));
      else work.done(answer);
    }
    this.#owner.free();
  }

  #watch(): void {
    clearTimeout(this.#late);
    if (this.#works.length === 0) return;
    this.#late = setTimeout(() => {
      this.#cause = `it took longer than ${MOST_MS / 60_000} minutes`;
      void this.#worker.terminate();
    }, MOST_MS).unref();
  }

  #clean(): Promise<void> {
    return rm(this.#tempFolder, { recursive: true, force: true });
  }

  #died(reason: string, error: Error | null): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#late);
    void this.#clean().catch(() => {});
    const [at, ...after] = this.#works.splice(0);
    at?.done({ kind: 'died', reason: `the thread that read it died: ${reason}` });
    this.#owner.died(this, after, error);
  }
}

function errorOf({ code, message, hint, ...place }: Extract<Answer, { code: string }>): TidemarkError {
  return new TidemarkError(code as ErrorCode, message, { hint, ...('column' in place && { column: place.column }) });
}

function isLarge({ source }: Task): boolean {
  return 'bytes' in source && source.bytes.length > COPIED_BYTES;
}

/** Not a part of a larger buffer, such as Node's pool, whose other parts would go with it. */
function isAlone(bytes: Uint8Array): boolean {
  return bytes.byteLength === bytes.buffer.byteLength;
}
