/** A thread that reads drops, one at a time in the order they come. Invariant: every task is answered, unless the thread dies. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Duck } from '../../duckdb/duck.ts';
import { TidemarkError, toTidemarkError } from '../../model/error.ts';
import type { Answer, Task, WorkerStart } from './messages.ts';
import { type ReadOptions, readDrop, readLines } from './read-drop.ts';
import { Rows } from './rows.ts';
import { loadTransform } from './transform-row.ts';

const port = parentPort!;
const { settings, tempFolder } = workerData as WorkerStart;

let opened: Promise<Duck> | null = null;

async function openDuck(): Promise<Duck> {
  await mkdir(tempFolder, { recursive: true });
  // Most loads never need it, and loading it takes longer than all the rest.
  const { Duck } = await import('../../duckdb/duck.ts');
  return Duck.open({ memoryBytes: 128e6, threads: 1, tempFolder: join(tempFolder, 'spill'), tempBytes: 4e9 });
}

const options: ReadOptions = {
  settings,
  tempFolder,
  duck: () => {
    opened ??= openDuck();
    return opened;
  },
};

async function answer({ source, drop, lines }: Task, rows: Rows): Promise<void> {
  try {
    if (lines !== null) {
      send({ kind: 'lines', lines: await readLines(source, drop, lines, options) });
    } else {
      const read = await readDrop(source, drop, rows, options);
      send({ kind: 'read', read }, read.state === 'parsed' ? [read.rows.buffer as ArrayBuffer] : []);
    }
  } catch (error) {
    const { code, message, hint } = toTidemarkError(error);
    send({ kind: 'failed', code, message, hint });
  }
}

function send(message: Answer, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

async function start(): Promise<void> {
  try {
    const rows = new Rows(settings, await loadTransform(settings));
    let before = Promise.resolve();
    port.on('message', (task: Task) => {
      before = before.then(() => answer(task, rows));
    });
    send({ kind: 'ready' });
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    const { code, message, hint, place } = error;
    send({ kind: 'refused', code, message, hint, column: place.column });
  }
}

await start();
