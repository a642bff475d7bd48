/** The daemon under a clock that jumps, as a process of its own: `node --expose-gc day-process.ts HOURS` in a folder with tidemark.yaml. */

import { readdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { runDaemon } from '../../src/cli/daemon.ts';
import { createOutput } from '../../src/cli/output.ts';
import { Board } from '../../src/daemon/board.ts';
import type { Clock } from '../../src/daemon/clock.ts';
import type { DaySample } from './day.ts';

const MINUTE = 60_000;
const hours = Number(process.argv[2]);
const stop = new AbortController();
let runs = 0;
let looks = 0;
const log = pino(
  { level: 'info' },
  {
    write(line: string) {
      if (/"msg":"(exported|compacted)"/.test(line)) runs++;
      if (/"level":"(warn|error)"/.test(line)) process.stderr.write(line);
    },
  },
);

type Sleeper = { at: number; wake: () => void };
let now = Math.floor(Date.now() / MINUTE) * MINUTE;
const began = now;
let sleepers: Sleeper[] = [];

const clock: Clock = {
  now: () => now,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        sleepers = sleepers.filter((each) => each !== sleeper);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const sleeper: Sleeper = { at: now + Math.max(0, ms), wake: end };
      signal.addEventListener('abort', end);
      sleepers.push(sleeper);
    }),
};

function tell(message: unknown): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve());
    process.send!(message);
  });
}

async function sample(hour: number): Promise<DaySample> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await turn();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    hour,
    heapMb: (heapUsed + external) / 2 ** 20,
    rssMb: rss / 2 ** 20,
    handles: process.getActiveResourcesInfo().length,
    files: readdirSync('/proc/self/fd').length,
    spoolMb: (await bytesBelow('spool')) / 2 ** 20,
    looks,
    runs,
  };
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) => stat(path.join(entry.parentPath, entry.name)).catch(() => null));
  return (await Promise.all(sizes)).reduce((sum, found) => sum + (found?.size ?? 0), 0);
}

/** Lets time jump from one sleeper to the next, once nothing is under way. */
async function passTime(busy: () => boolean): Promise<void> {
  let minute = 0;
  while (now - began < hours * 60 * MINUTE) {
    // Plans are made beside the work, and take some milliseconds too.
    for (let quiet = 0; quiet < 4; quiet = busy() ? 0 : quiet + 1) await delay(1);
    const first = sleepers.toSorted((a, b) => a.at - b.at)[0];
    if (!first) {
      await delay(5);
      continue;
    }
    now = Math.max(now, first.at);
    first.wake();
    for (; minute < (now - began) / MINUTE; minute++) {
      await tell({ minute });
      if (minute % 60 === 0) await tell({ sample: await sample(minute / 60) });
    }
  }
  await tell({ sample: await sample(hours) });
}

const context = {
  configFile: undefined,
  cwd: process.cwd(),
  env: process.env,
  json: false,
  quiet: true,
  log,
  out: createOutput(process.stdout, { json: false, colors: false }),
  stdin: async () => '',
  screen: null,
  secrets: [],
  signal: stop.signal,
};
const board = new Board(now);
board.subscribe((event) => {
  if (event.event !== 'changed' || event.work.kind !== 'export') return;
  const running = board.work(event.work)?.running;
  if (running && running.rows === 0) looks++;
});
const daemon = runDaemon({}, context, clock, board);
await passTime(() => board.works().some(({ running }) => running !== null));
stop.abort();
await daemon;
process.disconnect();
