/** A log of 10,000 versions, as years of small compactions leave it, and how long it takes to open. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AddFile, Commit } from '../../src/compact/delta/actions.ts';
import { writeCheckpoint } from '../../src/compact/delta/checkpoint.ts';
import { actionLine } from '../../src/compact/delta/log-lines.ts';
import { commitKey } from '../../src/compact/delta/log-names.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { actionsOf } from '../../src/compact/delta/replay.ts';
import { measure, median } from '../measure.ts';
import { openTable } from './lake-table.ts';
import { python } from './python.ts';

export type Opened = { versions: number; files: number; inside: number; wall: number; rssMb: number; deltaRs: number };

const ROOT = 'staged/versions';
const COLUMNS = Array.from({ length: 18 }, (_, i) => (i % 3 === 0 ? `number_${i}` : `text_${i}`));
const LIVE = 100;
/** Commits behind the last checkpoint: the most there are. */
const BEHIND = 9;
const DAY = 86_400_000;

/** Medians, in seconds. */
export async function openVersions(root: string, versions: number, rounds: number): Promise<Opened> {
  const lake = path.join(root, 'lake-versions');
  await writeLog(lake, versions);
  const inside = [];
  const taken = [];
  const deltaRs = [];
  for (let round = 0; round < rounds; round++) {
    const out = path.join(root, 'opened.json');
    const script = path.join(import.meta.dirname, 'open-log.ts');
    taken.push(await measure([process.execPath, script, lake, ROOT, out]));
    const opened = JSON.parse(await readFile(out, 'utf8')) as { version: number; files: number; seconds: number };
    if (opened.version !== versions || opened.files !== LIVE) throw new Error(`opened ${JSON.stringify(opened)}`);
    inside.push(opened.seconds);
    deltaRs.push(Number(await python('open', path.join(lake, ROOT), String(versions))));
  }
  return {
    versions,
    files: LIVE,
    inside: median(inside),
    wall: median(taken.map(({ wall }) => wall)),
    rssMb: median(taken.map(({ rssMb }) => rssMb)),
    deltaRs: median(deltaRs),
  };
}

/** Each version replaces the oldest of its 100 files; the last checkpoint is as far back as it can be. */
async function writeLog(lake: string, versions: number): Promise<void> {
  await mkdir(path.join(lake, ROOT, '_delta_log'), { recursive: true });
  const put = async (version: number, commit: Commit) => {
    const info = { timestamp: Date.now(), ...commit.info, engineInfo: 'bench', txnId: String(version) };
    const lines = [{ kind: 'info' as const, value: info }, ...actionsOf(commit)].map(actionLine);
    await writeFile(path.join(lake, commitKey(ROOT, version)), `${lines.join('\n')}\n`);
  };
  const live: AddFile[] = Array.from({ length: LIVE }, (_, n) => dataFile(n));
  await put(0, {
    info: { operation: 'CREATE TABLE', operationParameters: {} },
    protocol: { minReaderVersion: 1, minWriterVersion: 2 },
    metadata: {
      id: 'versions',
      columns: COLUMNS.map((name) => ({
        name,
        type: name.startsWith('number') ? 'long' : 'string',
        nullable: true,
        metadata: {},
      })),
      partitionColumns: [],
      configuration: {},
    },
    remove: [],
    add: live,
  });
  await using table = await openTable(lake, ROOT);
  const signal = AbortSignal.timeout(60_000);
  for (let version = 1; version <= versions; version++) {
    const { path, partitionValues, size } = live.shift()!;
    // Five minutes apart: those of the last week are tombstones still.
    const deletionTimestamp = Date.now() - ((versions - version) * DAY) / 288;
    const remove = [{ path, partitionValues, size, deletionTimestamp, dataChange: true, deletionVector: null }];
    const add = dataFile(LIVE + version);
    live.push(add);
    const txn = { appId: 'tidemark', version: BigInt(version) };
    await put(version, { info: { operation: 'MERGE', operationParameters: {} }, txn, remove, add: [add] });
    if (version === versions - BEHIND)
      await writeCheckpoint(table, (await readSnapshot(table, signal))!, Date.now(), signal);
  }
}

function dataFile(n: number): AddFile {
  const bounds = (side: string) =>
    Object.fromEntries(
      COLUMNS.map((name) => [name, name.startsWith('number') ? n * 1000 : `${side} of ${name} in ${n}`]),
    );
  return {
    path: `${String(n).padStart(8, '0')}-9f1c-4c2e-8a53-6d1d2b7f0c11.parquet`,
    partitionValues: {},
    size: 40_000_000 + n,
    modificationTime: Date.now(),
    dataChange: true,
    stats: JSON.stringify({
      numRecords: 500_000,
      minValues: bounds('least'),
      maxValues: bounds('most'),
      nullCount: Object.fromEntries(COLUMNS.map((name) => [name, 0])),
    }),
    deletionVector: null,
  };
}
