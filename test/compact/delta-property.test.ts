/** Any sequence of commits, with checkpoints anywhere and damage to them, reads as the map that the same sequence makes. */

import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AddFile, type Commit, fileKey, type RemoveFile, type Snapshot } from '../../src/compact/delta/actions.ts';
import { writeCheckpoint } from '../../src/compact/delta/checkpoint.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { protocolFor } from '../../src/compact/delta/protocol.ts';
import { readSnapshot, refreshSnapshot } from '../../src/compact/delta/read-log.ts';
import { added, changes, DAY, type DeltaPlace, deltaPlace, METADATA, NOW, never, removed } from './delta-support.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const stats = fc.oneof(
  fc.constantFrom(null, '', '{"minValues":{"a":-9223372036854775808.10}}', '{"a":"\\ud800"}'),
  text.map((a) => JSON.stringify({ a })),
);
const file = fc.record({
  path: fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  partitionValues: fc.dictionary(text, fc.option(text), { maxKeys: 2 }),
  size: fc.integer({ min: 1, max: 2 ** 52 }),
  modificationTime: fc.nat(),
  dataChange: fc.boolean(),
  stats,
});
const vector = fc.record({
  storageType: fc.constantFrom('u' as const, 'i' as const),
  pathOrInlineDv: text,
  sizeInBytes: fc.nat(),
  cardinality: fc.nat(),
});
const event = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant('add' as const), files: fc.array(file, { maxLength: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('remove' as const), n: fc.nat(), age: fc.integer({ min: -8, max: 0 }) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('mark' as const), n: fc.nat(), vector }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('set' as const), key: text, value: text }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('txn' as const),
      appId: fc.constantFrom('a', 'ü'),
      version: fc.bigInt(0n, 2n ** 63n - 1n),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('checkpoint' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('cut', 'lose hint', 'break hint', 'stale hint') }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

let place: DeltaPlace;
beforeAll(async () => {
  place = await deltaPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());

/** What the event does to the table as it is; null when it is no commit. */
function commitOf(event: Event, { files, metadata }: Model): Commit | null {
  const live = [...files.values()];
  if (event.what === 'add' && 'files' in event) {
    const known = new Set(live.map(({ path }) => path));
    const add = event.files
      .filter(({ path }) => !known.has(path) && known.add(path))
      .map((file) => added(file.path, file));
    return changes({ add });
  }
  if ('n' in event) {
    if (live.length === 0) return changes();
    const file = live[event.n % live.length];
    if (event.what === 'remove') return changes({ remove: [removed(file, NOW + event.age * DAY + 1)] });
    // The same vector once more would be no change.
    if (file.deletionVector) return changes();
    return changes({ remove: [removed(file)], add: [{ ...file, deletionVector: event.vector }] });
  }
  if ('key' in event) {
    const configuration = { ...metadata.configuration, [`x.${event.key}`]: event.value };
    return changes({ metadata: { ...metadata, configuration } });
  }
  return 'appId' in event ? changes({ txn: { appId: event.appId, version: event.version } }) : null;
}

/** The model: files by path alone, for a live file has one vector or none. */
type Model = Pick<Snapshot, 'metadata' | 'txns'> & { files: Map<string, AddFile>; tombstones: Map<string, RemoveFile> };

function applyTo(model: Model, { metadata, txn, remove, add }: Commit): Model {
  const next = {
    metadata: metadata ?? model.metadata,
    txns: new Map(model.txns),
    files: new Map(model.files),
    tombstones: new Map(model.tombstones),
  };
  if (txn) next.txns.set(txn.appId, txn.version);
  for (const file of remove) {
    next.files.delete(file.path);
    next.tombstones.set(fileKey(file), file);
  }
  for (const file of add) {
    next.files.set(file.path, file);
    next.tombstones.delete(fileKey(file));
  }
  return next;
}

/** What readers see; a checkpoint leaves out the tombstones of files that were removed 7 days ago. */
function seen({ metadata, txns, files, tombstones }: Model | Snapshot) {
  const byPath = new Map([...files.values()].map((file) => [file.path, file]));
  const lasting = [...tombstones].filter(([, { deletionTimestamp }]) => deletionTimestamp > NOW - 7 * DAY);
  return { metadata, txns, files: byPath, tombstones: new Map(lasting) };
}

async function damage(what: string, folder: string, checkpoints: number[]): Promise<void> {
  const hint = join(folder, '_last_checkpoint');
  const newest = checkpoints.at(-1);
  if (what === 'lose hint') await rm(hint, { force: true });
  else if (newest === undefined) return;
  else if (what === 'break hint') await writeFile(hint, '{"vers');
  else if (what === 'stale hint') await writeFile(hint, JSON.stringify({ version: checkpoints[0], size: 1 }));
  else await truncate(join(folder, `${String(newest).padStart(20, '0')}.checkpoint.parquet`), 50);
}

let table = 0;

async function play(events: Event[]): Promise<void> {
  const writer = place.writer(`staged/${table++}`);
  const folder = join(place.folder, writer.root, '_delta_log');
  const protocol = protocolFor(METADATA.columns, true, null);
  const first = changes({ protocol, metadata: METADATA });
  let snapshot = (await commit(writer, null, first, never)) as Snapshot;
  const models: Model[] = [{ metadata: METADATA, txns: new Map(), files: new Map(), tombstones: new Map() }];
  const checkpoints: number[] = [];
  for (const event of events) {
    const what = commitOf(event, models.at(-1)!);
    if (what) {
      snapshot = (await commit(writer, snapshot, what, never)) as Snapshot;
      models.push(applyTo(models.at(-1)!, what));
      expect(seen(snapshot)).toEqual(seen(models.at(-1)!));
      if (snapshot.version % 10 === 0) checkpoints.push(snapshot.version);
    } else if (event.what === 'checkpoint') {
      await writeCheckpoint(writer, snapshot, NOW, never);
      if (checkpoints.at(-1) !== snapshot.version) checkpoints.push(snapshot.version);
    } else await damage(event.what, folder, checkpoints);
  }
  expect(place.warnings).toEqual([]);
  expect(seen((await readSnapshot(writer, never))!)).toEqual(seen(snapshot));
  for (const [version, model] of models.entries()) {
    const read = (await readSnapshot(writer, never, version))!;
    expect(read).toMatchObject({ version, protocol, timestamp: NOW });
    expect(seen(read)).toEqual(seen(model));
    const refreshed = await refreshSnapshot(writer, read, never);
    expect(refreshed.version).toBe(snapshot.version);
    expect(seen(refreshed)).toEqual(seen(snapshot));
    expect(seen(read)).toEqual(seen(model));
  }
}

test('every version reads as the map of what was committed', async () => {
  await fc.assert(fc.asyncProperty(fc.array(event, { maxLength: 35, size: 'max' }), play), {
    numRuns: 12,
    endOnFailure: true,
    interruptAfterTimeLimit: 25_000,
  });
});
