/** The shape of a staged table's files: what a compaction writes follows the change, and the files stay few, sorted and bounded. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile } from '../../src/compact/delta/actions.ts';
import { parseStatistics } from '../../src/compact/delta/statistics.ts';
import { type Compactor, type CompactorOptions, createCompactor } from '../support/compactor.ts';
import type { RawColumn } from '../support/raw-runs.ts';
import { checkStatistics } from '../support/staged-checks.ts';
import { createStagedScene, type StagedScene } from '../support/staged-scene.ts';

let scene: StagedScene;

beforeAll(async () => {
  scene = await createStagedScene();
});
afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

const COLUMNS: RawColumn[] = [
  { name: 'id', type: 'BIGINT', key: 1 },
  { name: 'word', type: 'VARCHAR' },
];
const FULL = { full: true, columns: COLUMNS };

/** `word`: 32 characters that do not compress. */
const rows = (ids: string, salt = 0) => `SELECT id, md5((id + ${salt})::VARCHAR) AS word FROM (SELECT ${ids})`;
const range = (first: number, afterLast: number) => `unnest(range(${first}, ${afterLast})) AS id`;

const compactorWith = (options: CompactorOptions) => createCompactor(scene.exporter, options);

type Bounds = { low: number; high: number; rows: number; bytes: number; path: string };

/** In the order of their least key. */
async function filesOf(compactor: Compactor, table: string): Promise<Bounds[]> {
  const { files, metadata } = await compactor.snapshot(table);
  const bounds = ({ stats, path, size }: AddFile) => {
    const found = parseStatistics(stats, metadata.columns)!;
    return { low: Number(found.min.get('id')), high: Number(found.max.get('id')), rows: found.rows, bytes: size, path };
  };
  return [...files.values()].map(bounds).sort((a, b) => a.low - b.low || a.high - b.high);
}

const overlaps = (files: Bounds[]) => files.filter(({ low }, i) => i > 0 && low <= files[i - 1].high);
const total = (files: Bounds[]) => files.reduce((sum, { bytes }) => sum + bytes, 0);

test('a full run in several batches ends in files of which none overlap', async () => {
  await using compactor = await compactorWith({ batchBytes: 1e6, shape: { targetBytes: 500e3 } });
  const { raw } = scene;
  // Any order, so that every batch spans all keys.
  const files = [0, 1, 2, 3].map((part) => rows(`unnest(range(${part}, 120_000, 4)) AS id`));
  await raw.addSelects('batches', FULL, files);
  const result = await compactor.compact('batches');
  expect(result).toMatchObject({ state: 'compacted', inserted: 120_000 });
  const found = await filesOf(compactor, 'batches');
  expect(overlaps(found)).toEqual([]);
  expect(found.reduce((sum, each) => sum + each.rows, 0)).toBe(120_000);
  await checkStatistics(compactor, 'batches', ['id']);
  const { version } = await compactor.snapshot('batches');
  expect(await compactor.compact('batches', { optimize: true })).toMatchObject({ version, filesAdded: 0 });
});

test('rows that are too wide for the memory get more, as far as it may grow', async () => {
  const { database, exporter } = scene;
  await database.query('create table wide (id int primary key, body text)');
  await database.query(
    `insert into wide select i, (select string_agg(md5((i * 1000 + j)::text), '') from generate_series(1, 600) j) from generate_series(1, 4000) i`,
  );
  await exporter.run('wide');
  await using fixed = await compactorWith({ memoryBytes: 64e6 });
  expect(await fixed.tryCompact('wide')).toMatchObject({ state: 'failed', error: { code: 'MEMORY_FULL' } });
  await using growing = await compactorWith({ memoryBytes: 64e6, mostMemoryBytes: 1e9 });
  expect(await growing.compact('wide')).toMatchObject({ state: 'compacted', inserted: 4000 });
});

test('a first compaction that is larger than the memory spills', async () => {
  await using compactor = await compactorWith({ memoryBytes: 64e6 });
  const { database, exporter } = scene;
  // Not from raw runs: the size of a row group, which DuckDB reads as one, is the exporter's.
  const words = Array.from({ length: 6 }, (_, i) => `md5((i + ${i})::text)`).join(' || ');
  await database.query(`create table large (id bigint primary key, word text)`);
  await database.query(
    `insert into large select i::bigint * 7919 % 400009, ${words} from generate_series(1, 400000) i`,
  );
  await exporter.run('large');
  expect(await compactor.compact('large')).toMatchObject({ state: 'compacted', inserted: 400_000 });
  const found = await filesOf(compactor, 'large');
  expect(overlaps(found)).toEqual([]);
  expect(found.reduce((sum, each) => sum + each.rows, 0)).toBe(400_000);
});

describe('a table of growing keys', () => {
  const ROWS = 600_000;

  beforeAll(async () => {
    await scene.raw.addSelect('growing', { ...FULL, select: rows(range(0, ROWS)) });
  });

  test('ends in files each half as large as the one before; changes among the newest rows write small files alone', async () => {
    await using compactor = await compactorWith({ shape: { targetBytes: 16 * 2 ** 20 } });
    await compactor.compact('growing');
    const files = await filesOf(compactor, 'growing');
    expect(overlaps(files)).toEqual([]);
    const sizes = files.map(({ bytes }) => bytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes.at(-1)).toBeLessThan(3 * 2 ** 20);
    const { version } = await compactor.snapshot('growing');
    expect(await compactor.compact('growing', { optimize: true })).toMatchObject({ version });

    const large = new Set(files.filter(({ bytes }) => bytes > 4 * 2 ** 20).map(({ path }) => path));
    expect(large.size).toBeGreaterThan(0);
    let bytes = 0;
    for (let i = 0; i < 6; i++) {
      const first = ROWS + 500 * i;
      const recent = `unnest(list_concat(range(${first - 4_000}, ${first}, 8), range(${first}, ${first + 500}))) AS id`;
      await scene.raw.addSelect('growing', { columns: COLUMNS, select: rows(recent, i + 1) });
      const result = await compactor.compact('growing');
      expect(result).toMatchObject({ inserted: 500, updated: 500 });
      bytes += result.bytesWritten;
    }
    const after = new Set((await filesOf(compactor, 'growing')).map(({ path }) => path));
    expect([...large].filter((path) => !after.has(path))).toEqual([]);
    expect(bytes).toBeLessThan(total(files));
  });
});

test.each(['rewrite', 'vectors'] as const)(
  'small commits leave few files, and each byte is written a few times at most (%s)',
  async (merge) => {
    // As 200 commits with the usual fan-in of 8: three tiers fill.
    await using compactor = await compactorWith({ shape: { fanIn: 4 } });
    const table = `many_${merge}`;
    await scene.raw.addSelect(table, { ...FULL, select: rows(range(0, 1_000)) });
    await compactor.compact(table, { merge });
    let written = 0;
    let most = 0;
    for (let i = 1; i <= 70; i++) {
      await scene.raw.addSelect(table, { columns: COLUMNS, select: rows(range(1_000 * i, 1_000 * (i + 1))) });
      const result = await compactor.compact(table, { merge });
      expect(result).toMatchObject({ inserted: 1_000, updated: 0 });
      written += result.bytesWritten;
      most = Math.max(most, (await compactor.snapshot(table)).files.size);
    }
    const files = await filesOf(compactor, table);
    expect(files.reduce((sum, each) => sum + each.rows, 0)).toBe(71_000);
    expect(overlaps(files)).toEqual([]);
    expect(most).toBeLessThan(16);
    expect(written / total(files)).toBeLessThan(6);
  },
  120_000,
);
