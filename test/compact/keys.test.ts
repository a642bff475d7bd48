/** What a key must be, whose a staged table is, and what happens when either changes. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CompactOptions, createCompactor } from '../support/compactor.ts';
import { createRawRuns, type RawColumn } from '../support/raw-runs.ts';
import { createStagedScene, ID_NAME, namesOf, rowsOf, type StagedScene } from '../support/staged-scene.ts';

let scene: StagedScene;

beforeAll(async () => {
  scene = await createStagedScene();
});
afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

let tables = 0;
const newTable = () => `k${++tables}`;

async function failure(table: string, options?: CompactOptions) {
  const result = await scene.compactor.tryCompact(table, options);
  if (result.state !== 'failed') throw new Error(`it is ${result.state}`);
  const { code, message, hint, place } = result.error;
  return { code, message, hint, ...place };
}

const A_AND_B: RawColumn[] = [
  { name: 'id', type: 'INTEGER', key: 2 },
  { name: 'name', type: 'VARCHAR', key: 1 },
];

describe('a key that does not tell rows apart', () => {
  const chosen = { keyIsPrimary: false };

  test('a key column without a value stops the table, whichever run brings it', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    await raw.add(table, { full: true, columns: A_AND_B, files: [[{ values: { id: '1' } }]] });
    expect(await failure(table, chosen)).toMatchObject({
      code: 'STAGED_KEY',
      table: `public.${table}`,
      column: 'name',
      hint: expect.stringContaining('--full'),
    });
    await raw.add(table, { full: true, columns: A_AND_B, files: [[{ values: { id: '1', name: 'x' } }]] });
    await compactor.compact(table, chosen);
    await raw.add(table, { columns: A_AND_B, files: [[{ values: { name: 'y' } }]] });
    expect(await failure(table, chosen)).toMatchObject({ code: 'STAGED_KEY', column: 'id' });
    expect(await compactor.rows(table)).toEqual([{ id: '1', name: 'x' }]);
  });

  test('twice in one run, in different files of it too: the key is named', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    const twice = [rowsOf({ 1: 'x', 2: 'y' }), rowsOf({ 2: 'z' })];
    await raw.add(table, { full: true, columns: ID_NAME, files: twice });
    expect(await failure(table, chosen)).toMatchObject({ code: 'STAGED_KEY', key: '2' });
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'x' })] });
    await compactor.compact(table, chosen);
    await raw.add(table, { columns: ID_NAME, files: twice });
    expect(await failure(table, chosen)).toMatchObject({ code: 'STAGED_KEY', key: '2' });
    expect(await namesOf(compactor, table)).toEqual({ 1: 'x' });
  });

  test('twice in a full run that is read in several batches', async () => {
    const { raw, exporter } = scene;
    await using small = await createCompactor(exporter, { batchBytes: 1 });
    const table = newTable();
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'x', 2: 'y' }), rowsOf({ 2: 'z' })] });
    const result = await small.tryCompact(table, chosen);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'STAGED_KEY', place: { key: '2' } } });
  });
});

describe('the key changes between runs', () => {
  test('changes are refused until a full run comes', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'x', 2: 'x' })] });
    await compactor.compact(table);
    await raw.add(table, { columns: A_AND_B, files: [rowsOf({ 1: 'y' })] });
    expect(await failure(table)).toMatchObject({
      code: 'STAGED_KEY',
      message: 'the key was (id) and is (name, id) now',
      hint: expect.stringContaining(`export --full --table public.${table}`),
    });
    await raw.add(table, { full: true, columns: A_AND_B, files: [rowsOf({ 1: 'y', 3: 'x' })] });
    await raw.add(table, { columns: A_AND_B, files: [rowsOf({ 1: 'x' })] });
    expect(await compactor.compact(table)).toMatchObject({ version: 2, inserted: 3 });
    expect(await compactor.rows(table)).toEqual([
      { id: '1', name: 'x' },
      { id: '1', name: 'y' },
      { id: '3', name: 'x' },
    ]);
  });

  test('a key column that the source spells in another case by now', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'x', 2: 'x' })] });
    await compactor.compact(table);
    const columns = [{ name: 'ID', type: 'INTEGER', key: 1 }, ID_NAME[1]];
    await raw.add(table, { full: true, columns, files: [[{ values: { ID: '1', name: 'y' } }]] });
    await raw.add(table, { columns, files: [[{ values: { ID: '2', name: 'z' } }]] });
    await compactor.compact(table);
    await compactor.compact(table, { optimize: true });
    const rows = await compactor.rows(table);
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['1', 'y'],
      ['2', 'z'],
    ]);
  });
});

describe('a table without a key', () => {
  const columns = ID_NAME.map(({ name, type }) => ({ name, type }));

  test('is what its last full run was; runs between full ones wait', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    const same = { values: { id: '1', name: 'x' } };
    const full = await raw.add(table, { full: true, columns, files: [[same, same], [same]] });
    expect(await compactor.compact(table)).toMatchObject({ version: 0, throughRun: full, inserted: 3 });
    await raw.add(table, { columns, files: [[same]] });
    expect(await compactor.compact(table)).toMatchObject({ state: 'nothing', version: 0, throughRun: full });
    const next = await raw.add(table, { full: true, columns, files: [[same, same]] });
    expect(await compactor.compact(table, { optimize: true })).toMatchObject({ version: 1, throughRun: next });
    expect(await compactor.rows(table)).toHaveLength(2);
    expect(await compactor.rows(table, 0)).toHaveLength(3);
  });

  test('--rebuild and --full-schema take it as it is', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    await raw.add(table, { full: true, columns, files: [[{ values: { id: '1', name: 'x' } }]] });
    await compactor.compact(table);
    expect(await compactor.compact(table, { rebuild: { asOf: null } })).toMatchObject({ version: 1, inserted: 1 });
    await raw.add(table, { full: true, columns: [columns[0]], files: [[{ values: { id: '2' } }]] });
    await compactor.compact(table, { fullSchema: true });
    expect(await compactor.rows(table)).toEqual([{ id: '2' }]);
  });
});

test('a table without rows lets go of a column too', async () => {
  const { raw, compactor } = scene;
  const table = newTable();
  await raw.add(table, { full: true, columns: ID_NAME, files: [[]] });
  await compactor.compact(table);
  await raw.add(table, { columns: [ID_NAME[0]], files: [[{ op: 'd', values: { id: '1' } }]] });
  await compactor.compact(table);
  expect(await compactor.compact(table, { fullSchema: true })).toMatchObject({ state: 'compacted' });
  expect((await compactor.snapshot(table)).metadata.columns.map(({ name }) => name)).toEqual(['id']);
});

describe('a table of another state store', () => {
  test('is taken over by a full run, and by nothing else', async () => {
    const { raw, compactor } = scene;
    await using other = await createStagedScene();
    // Both in one lake, and the other store's runs have greater numbers.

    const there = { state: other.exporter.state, lake: scene.exporter.lake };
    await using otherRaw = await createRawRuns(there);
    await using otherCompactor = await createCompactor(there);
    for (let i = 0; i < 30; i++) await there.state.nextRunNumber(new AbortController().signal);
    const table = newTable();
    await otherRaw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'theirs', 2: 'theirs' })] });
    await otherRaw.add(table, { columns: ID_NAME, files: [rowsOf({ 3: 'theirs' })] });
    await otherCompactor.compact(table);

    await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'ours' })] });
    expect(await failure(table)).toMatchObject({ code: 'STAGED_KEY', hint: expect.stringContaining('--full') });
    expect(await failure(table, { optimize: true })).toMatchObject({ code: 'STAGED_KEY' });
    expect(await namesOf(compactor, table)).toEqual({ 1: 'theirs', 2: 'theirs', 3: 'theirs' });

    const run = await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'ours' })] });
    expect(await compactor.compact(table)).toMatchObject({ throughRun: run });
    expect(await namesOf(compactor, table)).toEqual({ 1: 'ours' });
    expect(await compactor.compact(table)).toMatchObject({ state: 'nothing', throughRun: run });
  });

  test('is put in order without becoming ours', async () => {
    const { raw, compactor } = scene;
    await using other = await createStagedScene();

    const there = { state: other.exporter.state, lake: scene.exporter.lake };
    await using otherRaw = await createRawRuns(there);
    await using otherCompactor = await createCompactor(there);
    const table = newTable();
    await there.state.nextRunNumber(new AbortController().signal);
    await otherRaw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'theirs', 5: 'theirs' })] });
    await otherCompactor.compact(table);
    await otherRaw.add(table, { columns: ID_NAME, files: [rowsOf({ 3: 'theirs' })] });
    await otherCompactor.compact(table);
    expect(await compactor.compact(table, { optimize: true })).toMatchObject({ throughRun: 0n, version: 2 });
    const run = await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'ours' })] });
    expect(await compactor.compact(table)).toMatchObject({ throughRun: run });
    expect(await namesOf(compactor, table)).toEqual({ 1: 'ours' });
  });
});

describe('deletes', () => {
  test.each(['rewrite', 'vectors'] as const)(
    'a run of deletes alone, down to an empty table and back (%s)',
    async (merge) => {
      const { raw, compactor } = scene;
      const table = newTable();
      await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a', 2: 'b', 3: 'c' })] });
      await compactor.compact(table, { merge });
      await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: undefined, 7: undefined })] });
      expect(await compactor.compact(table, { merge })).toMatchObject({ inserted: 0, updated: 0, deleted: 1 });
      await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: undefined, 3: undefined })] });
      expect(await compactor.compact(table, { merge })).toMatchObject({ deleted: 2 });
      expect(await compactor.rows(table)).toEqual([]);
      expect((await compactor.snapshot(table)).files.size).toBe(0);
      await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: undefined })] });
      expect(await compactor.compact(table, { merge })).toMatchObject({ deleted: 0, version: 3 });
      await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: 'again' })] });
      await compactor.compact(table, { merge, optimize: true });
      expect(await namesOf(compactor, table)).toEqual({ 2: 'again' });
      expect(await namesOf(compactor, table, 0)).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
    },
  );

  test('a full run without rows', async () => {
    const { raw, compactor } = scene;
    const table = newTable();
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a' })] });
    await compactor.compact(table);
    await raw.add(table, { full: true, columns: ID_NAME, files: [[]] });
    expect(await compactor.compact(table)).toMatchObject({ inserted: 0, version: 1 });
    expect(await compactor.rows(table)).toEqual([]);
  });
});

test('columns whose names the merge itself could use', async () => {
  const { raw, compactor } = scene;
  const table = newTable();
  const columns = ['row', 'filename', 'file', 'change', 'rowid', 'file_index', 'r'].map((name, i) => ({
    name,
    type: 'BIGINT',
    ...(i === 0 ? { key: 1 } : {}),
  }));
  const row = (key: number, value: number) => ({
    values: Object.fromEntries(columns.map(({ name }, i) => [name, String(i === 0 ? key : value)])),
  });
  for (const merge of ['rewrite', 'vectors'] as const) {
    const own = `${table}_${merge}`;
    await raw.add(own, { full: true, columns, files: [Array.from({ length: 20 }, (_, i) => row(100 - i, 0))] });
    await compactor.compact(own, { merge });
    await raw.add(own, { columns, files: [[row(95, 1), row(200, 1)]] });
    expect(await compactor.compact(own, { merge })).toMatchObject({ inserted: 1, updated: 1 });
    await raw.add(own, { columns, files: [[row(200, 2), row(94, 2)]] });
    expect(await compactor.compact(own, { merge })).toMatchObject({ inserted: 0, updated: 2 });
    await compactor.compact(own, { merge, optimize: true });
    const rows = await compactor.rows(own);
    expect(rows).toHaveLength(21);
    expect(rows.filter((each) => each.rowid !== '0').map((each) => [each.row, each.rowid])).toEqual(
      expect.arrayContaining([
        ['94', '2'],
        ['95', '1'],
        ['200', '2'],
      ]),
    );
  }
});

test.each(['file_row_number', '_tidemark_FILE'])(
  'a column called %s is refused: rows could be mistaken',
  async (name) => {
    const table = newTable();
    const columns = [ID_NAME[0], { name, type: 'BIGINT' }];
    await scene.raw.add(table, { full: true, columns, files: [[{ values: { id: '1', [name]: '7' } }]] });
    expect(await failure(table)).toMatchObject({ code: 'STAGED_UNSUPPORTED', column: name });
  },
);

test('a table without columns is refused: there is no such Delta table', async () => {
  const table = newTable();
  await scene.raw.add(table, { full: true, columns: [], files: [[{ values: {} }]] });
  expect(await failure(table)).toMatchObject({
    code: 'STAGED_UNSUPPORTED',
    message: expect.stringMatching(/has none/),
  });
});
