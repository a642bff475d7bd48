/** Who brings the same changes into a table of the same rows; each a command of its own that begins from the same base. */

import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Measured, measure, median } from '../measure.ts';
import { addedFiles, fileSizes, linkFolder } from './files.ts';
import { type Look, look, pythonCommand } from './python.ts';
import { copyPlace, type Merge, type Prepared, type Stage, stagedFolder, tidemark } from './stage.ts';

/** `inside`: seconds of the merge itself, the process started and everything imported. `written`: bytes of new files. */
export type Taken = Measured & { inside: number; written: number };

export type Result = Taken & { after: Look };

type Contender = {
  name: string;
  /** What it makes or changes. */
  table: string;
  reset(): Promise<void>;
  run(): Promise<Measured>;
  inside(): Promise<number>;
};

/** Medians by contender. Throws when two of them end with different rows. */
export async function compare(contenders: Contender[], rounds: number): Promise<Map<string, Result>> {
  const all = new Map<string, Taken[]>(contenders.map(({ name }) => [name, []]));
  const after = new Map<string, Look>();
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      all.get(contender.name)!.push(await once(contender));
      if (round === rounds - 1) after.set(contender.name, await look(contender.table));
    }
  }
  const digests = new Set([...after.values()].map(({ digest }) => digest.join()));
  if (digests.size > 1) throw new Error(`the contenders differ: ${JSON.stringify([...after], null, 1)}`);
  const of = (runs: Taken[], value: keyof Taken) => median(runs.map((run) => run[value]));
  return new Map(
    [...all].map(([name, runs]) => [
      name,
      {
        wall: of(runs, 'wall'),
        cpu: of(runs, 'cpu'),
        rssMb: of(runs, 'rssMb'),
        inside: of(runs, 'inside'),
        written: of(runs, 'written'),
        after: after.get(name)!,
      },
    ]),
  );
}

async function once(contender: Contender): Promise<Taken> {
  await contender.reset();
  // What one has written would else reach the disk while the next is measured.
  await promisify(execFile)('sync');
  const before = await fileSizes(contender.table);
  const taken = await contender.run();
  const added = addedFiles(before, await fileSizes(contender.table));
  return { ...taken, inside: await contender.inside(), written: added.reduce((sum, [, bytes]) => sum + bytes, 0) };
}

export function ours({ server, root }: Stage, { place }: Prepared, merge: Merge): Contender {
  const now = { folder: path.join(root, 'now'), source: place.source, state: 'state_now' };
  return {
    name: `tidemark, merge: ${merge}`,
    table: stagedFolder(now),
    reset: () => copyPlace(server, place, now),
    run: () => tidemark(server, now, ['compact'], merge),
    inside: async () => {
      const out = JSON.parse(await readFile(path.join(now.folder, 'out.json'), 'utf8'));
      return (out.tables as { seconds: number }[])[0].seconds;
    },
  };
}

export function deltaRs({ root, peerTable }: Stage, { raw }: Prepared, mode: 'streamed' | 'whole'): Contender {
  const table = path.join(root, 'peer-now');
  const seconds = path.join(root, 'peer-seconds');
  return {
    name: mode === 'streamed' ? 'delta-rs 1.6.6' : 'delta-rs, streamed_exec=False',
    table,
    reset: () => linkFolder(peerTable, table),
    run: () => measure(pythonCommand('merge', table, 'l_id', raw, mode, seconds)),
    inside: async () => Number(await readFile(seconds, 'utf8')),
  };
}

/** Full rebuild. */
export function duckdb({ root, peerTable }: Stage, { raw }: Prepared): Contender {
  const table = path.join(root, 'duckdb-now');
  const seconds = path.join(root, 'peer-seconds');
  return {
    name: 'DuckDB 1.5.5, full rebuild, unsorted',
    table,
    reset: async () => {
      await rm(table, { recursive: true, force: true });
      await mkdir(table);
    },
    run: () => measure(pythonCommand('rebuild', peerTable, 'l_id', raw, path.join(table, 'all.parquet'), seconds)),
    inside: async () => Number(await readFile(seconds, 'utf8')),
  };
}
