import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AddFile, DeletionVectorRef, RemoveFile } from '../../../src/compact/delta/actions.ts';
import { vectorPath } from '../../../src/compact/delta/deletion-vector.ts';
import { cutoffs, fateOf, referenced } from '../../../src/compact/vacuum-plan.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_800_000_000_000;
const ROOT = 'staged/invoice';

const vector = (pathOrInlineDv: string, offset = 1): DeletionVectorRef => ({
  storageType: 'u',
  pathOrInlineDv,
  offset,
  sizeInBytes: 40,
  cardinality: 3,
});
const V1 = vector('ab^-aqEH.-t@S}K{vb[*k^');
const V2 = vector('vBn[lx{q8@P<9BNH/isA');

const live = (path: string, deletionVector: DeletionVectorRef | null = null) =>
  ({ path, deletionVector }) as Partial<AddFile> as AddFile;
const gone = (path: string, ago: number, deletionVector: DeletionVectorRef | null = null) =>
  ({ path, deletionVector, deletionTimestamp: NOW - ago }) as Partial<RemoveFile> as RemoveFile;

const byKey = <T>(files: T[]) => new Map(files.map((file, i) => [String(i), file]));

function fates(
  { files = [] as AddFile[], tombstones = [] as RemoveFile[], removed = [] as RemoveFile[], retention = 7 * DAY },
  found: [string, number][],
) {
  const cut = cutoffs(NOW, retention);
  const there = referenced({ files: byKey(files), tombstones: byKey(tombstones) }, removed, cut, ROOT);
  return found.map(([path, age]) => fateOf(path, NOW - age, there, cut));
}

test('what is live stays, however old', () => {
  expect(fates({ files: [live('a.parquet')] }, [['a.parquet', 900 * DAY]])).toEqual(['live']);
});

test('what was removed within the retention stays: versions from before still name it', () => {
  const tombstones = [gone('a.parquet', 6 * DAY), gone('b.parquet', 8 * DAY)];
  const old: [string, number][] = [
    ['a.parquet', 30 * DAY],
    ['b.parquet', 30 * DAY],
  ];
  expect(fates({ tombstones }, old)).toEqual(['recent', 'delete']);
  // A checkpoint may have forgotten it, when the retention is longer than Delta's own.
  expect(fates({ removed: [gone('a.parquet', 9 * DAY)], retention: 10 * DAY }, old)).toEqual(['recent', 'delete']);
});

test('a file that no version names goes once it is older than the retention, and than a day', () => {
  const found: [string, number][] = [
    ['orphan', 8 * DAY],
    ['young', 6 * DAY],
  ];
  expect(fates({}, found)).toEqual(['delete', 'young']);
  // A compaction that takes hours has not committed its first files yet.
  expect(fates({ retention: HOUR }, [['orphan', 23 * HOUR]])).toEqual(['young']);
  expect(fates({ retention: HOUR, tombstones: [gone('x', 2 * HOUR)] }, [['x', 3 * HOUR]])).toEqual(['delete']);
});

test('a file that was removed and came back is live', () => {
  expect(fates({ files: [live('a')], tombstones: [gone('a', 20 * DAY)] }, [['a', 30 * DAY]])).toEqual(['live']);
});

test('the log, hidden files and what is below hidden folders are none of vacuum’s business', () => {
  const found = ['_delta_log/0.json', '_x/y.parquet', '.part-1.crc', 'a=1/_tmp/b', 'a=1/.hidden'];
  expect(
    fates(
      {},
      found.map((path) => [path, 99 * DAY]),
    ),
  ).toEqual(found.map(() => 'hidden'));
});

describe('deletion vectors', () => {
  const bins = [V1, V2].map((each): [string, number] => [vectorPath(each)!, 30 * DAY]);

  test('stay as long as the version that names them', () => {
    const state = { files: [live('a', V2)], tombstones: [gone('a', 2 * DAY, V1)] };
    expect(fates(state, [...bins, ['a', 99 * DAY]])).toEqual(['recent', 'live', 'live']);
    const later = { files: [live('a', V2)], tombstones: [gone('a', 8 * DAY, V1)] };
    expect(fates(later, [...bins, ['a', 99 * DAY]])).toEqual(['delete', 'live', 'live']);
  });

  test('share a file, which stays for the last of them', () => {
    const state = { files: [live('a', vector(V1.pathOrInlineDv, 60))], tombstones: [gone('b', 8 * DAY, V1)] };
    expect(fates(state, [bins[0], ['b', 99 * DAY]])).toEqual(['live', 'delete']);
  });

  test('within the log are no files', () => {
    const inline: DeletionVectorRef = { storageType: 'i', pathOrInlineDv: 'wi5b=', sizeInBytes: 4, cardinality: 1 };
    expect(fates({ files: [live('a', inline)] }, [['a', 99 * DAY]])).toEqual(['live']);
  });
});

test('a file may be named by its whole URL', () => {
  const files = [live(`s3://bucket/prefix/${ROOT}/a.parquet`), live(`/data/lake/${ROOT}/p=1/b.parquet`)];
  expect(
    fates({ files }, [
      ['a.parquet', 99 * DAY],
      ['p=1/b.parquet', 99 * DAY],
    ]),
  ).toEqual(['live', 'live']);
});

test('whatever the log and the retention, a reader of a version within it finds every file of it', () => {
  type Version = { at: number; add: number[]; remove: number[] };
  const history = fc
    .array(
      fc.record({
        age: fc.integer({ min: 0, max: 60 * 24 }),
        add: fc.integer({ min: 0, max: 3 }),
        remove: fc.array(fc.nat(20)),
      }),
    )
    .map((commits) => {
      const versions: Version[] = [];
      const open = new Set<number>();
      let next = 0;
      for (const { age, add, remove } of commits.sort((a, b) => b.age - a.age)) {
        const goes = [...open].filter((_, i) => remove.includes(i));
        for (const each of goes) open.delete(each);
        const comes = Array.from({ length: add }, () => next++);
        for (const each of comes) open.add(each);
        versions.push({ at: NOW - age * HOUR, add: comes, remove: goes });
      }
      return versions;
    });
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 30 * 24 }), (versions, hours) => {
      const open = new Map<number, AddFile>();
      const tombstones: RemoveFile[] = [];
      const needed = new Set<string>();
      const written = new Map<string, number>();
      for (const [i, { at, add, remove }] of versions.entries()) {
        for (const each of remove) {
          open.delete(each);
          tombstones.push(gone(String(each), NOW - at));
        }
        for (const each of add) {
          open.set(each, live(String(each)));
          written.set(String(each), at);
        }
        // It was the newest until the next one came; a reader may have opened it then.
        const until = versions[i + 1]?.at ?? NOW;
        if (until >= NOW - hours * HOUR) for (const each of open.keys()) needed.add(String(each));
      }
      const found = [...written].map(([path, at]): [string, number] => [path, NOW - at]);
      const state = { files: [...open.values()], tombstones, retention: hours * HOUR };
      const fate = fates(state, found);
      for (const [i, [path]] of found.entries()) if (needed.has(path)) expect(fate[i]).not.toBe('delete');
    }),
  );
});
