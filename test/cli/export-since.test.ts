import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ExportScene, exportScene } from '../support/export-scene.ts';
import { lakeRows } from '../support/lake-rows.ts';

let scene: ExportScene;

/** The command, and its one JSON document. */
async function json(...args: string[]) {
  const { code, stdout } = await scene.run([...args, '--json']);
  return { code, ...JSON.parse(stdout) };
}

const notes = async () => {
  const { stdout } = await scene.run(['query', 'select note from visit order by id', '--json']);
  return JSON.parse(stdout).map(({ note }: { note: string }) => note);
};
const store = async () => (await scene.db.query('select mark, last_checked_at from tidemark.source_table'))[0];

beforeAll(async () => {
  scene = await exportScene();
});

afterAll(() => scene[Symbol.asyncDispose]());

beforeEach(async () => {
  await scene.db.query('drop table if exists visit; drop schema if exists tidemark cascade');
  await rm(`${scene.cwd}/lake`, { recursive: true, force: true });
  await scene.db.query(`create table visit (id int primary key, note text, updated_at timestamptz)`);
  await scene.db.query(`insert into visit
    select i, 'first', '2026-03-01 00:00+00'::timestamptz + i * interval '1 day' from generate_series(0, 9) i`);
});

test('a range is exported again as a run of its own; the mark stays, and the next run knows nothing of it', async () => {
  await json('export', '--table', 'visit');
  const before = await store();
  const repeat = await json('export', '--table', 'visit', '--since', '2026-03-03', '--until', '2026-03-05');
  expect(repeat).toMatchObject({ code: 0, tables: [{ state: 'committed', rows: 2, late_rows: 0 }] });
  expect(await store()).toEqual(before);
  const rows = await lakeRows(`${scene.cwd}/lake/raw/visit`);
  const { run } = repeat.tables[0];
  const again = rows.filter((row) => row._tidemark_run === String(run));
  // What lies at --until itself is not in it.
  expect(again.map(({ id, _tidemark_op }) => [id, _tidemark_op])).toEqual([
    ['2', 'u'],
    ['3', 'u'],
  ]);
  expect((await json('status')).tables[0].last_run).toMatchObject({
    run,
    repeats: { cursor: 'updated_at', since: '2026-03-03', until: '2026-03-05' },
  });
  expect(await json('export', '--table', 'visit')).toMatchObject({ tables: [{ state: 'nothing' }] });
});

test('a staged table has the newest version of each row, whatever came between', async () => {
  await json('export', '--table', 'visit');
  await scene.db.query(`update visit set note = 'second', updated_at = now() where id in (2, 3)`);
  await json('export', '--table', 'visit');
  // Not exported yet when the range is repeated.
  await scene.db.query(`update visit set note = 'third' where id = 3`);
  await json('export', '--table', 'visit', '--since', '2026-03-02');
  await json('compact', '--table', 'visit');
  const third = ['first', 'first', 'second', 'third', ...Array(6).fill('first')];
  expect(await notes()).toEqual(third);
  const [first] = (await json('status')).tables;
  // Rows outside of the range are as old as the run before.
  expect(first.staged.as_of).toBe(first.snapshot_at);
  // What the repeat brought before the mark knew of it comes once more, and is the same.
  expect(await json('export', '--table', 'visit')).toMatchObject({ tables: [{ rows: 1 }] });
  await json('compact', '--table', 'visit');
  expect(await notes()).toEqual(third);
});

test('an empty range leaves nothing', async () => {
  await json('export', '--table', 'visit');
  const before = await store();
  expect(await json('export', '--table', 'visit', '--since', '2027-01-01')).toMatchObject({
    code: 0,
    tables: [{ state: 'nothing', run: null }],
  });
  expect(await store()).toEqual(before);
});

test('a dry run says what would be read', async () => {
  await json('export', '--table', 'visit');
  const found = await json('export', '--table', 'visit', '--since', '2026-03-03 10:00+02', '--dry-run');
  expect(found.tables[0]).toMatchObject({
    reads: 'range',
    query: expect.stringContaining(`"updated_at" >= '2026-03-03 08:00:00+00'::timestamptz`),
  });
});

test('a wall clock is taken as it stands in the column', async () => {
  await scene.db.query('alter table visit alter updated_at type timestamp');
  await json('export', '--table', 'visit');
  const repeated = await json('export', '--table', 'visit', '--since', '2026-03-09');
  expect(repeated.tables[0]).toMatchObject({ rows: 2 });
  const zoned = await json('export', '--table', 'visit', '--since', '2026-03-09 00:00+01');
  expect(zoned).toMatchObject({ code: 2, tables: [{ error: { code: 'REPEAT_REFUSED' } }] });
});

test('without a cursor column, or before the first run, there is nothing to repeat', async () => {
  const early = await json('export', '--table', 'visit', '--since', '2026-03-09');
  expect(early).toMatchObject({ code: 2, tables: [{ state: 'failed', error: { code: 'REPEAT_REFUSED' } }] });
  await json('export', '--table', 'visit');
  const none = { tables: [{ table: 'visit', cursor: 'none' }] };
  const ended = await scene.run(['export', '--table', 'visit', '--since', '2026-03-09'], none);
  expect(ended).toMatchObject({ code: 2, stdout: expect.stringMatching(/REPEAT_REFUSED: .*cursor.*\nhint: .*--full/) });
  // It is no failure of the table.
  expect((await json('status')).tables[0].failure).toBeNull();
  const number = await json('export', '--table', 'visit', '--since', '42', '--dry-run');
  expect(number.tables[0].error).toMatchObject({ code: 'REPEAT_REFUSED', message: expect.stringContaining('number') });
});

test.each([
  ['--until', '2026-03-09'],
  ['--since', 'yesterday'],
  ['--since', '2026-03-09', '--until', '2026-03-09'],
  ['--since', '2026-03-09', '--full'],
])('%s %s %s %s is no order', async (...args) => {
  const { code, error } = await json('export', '--table', 'visit', ...args);
  expect({ code, error }).toMatchObject({ code: 2, error: { code: 'USAGE', hint: expect.any(String) } });
});
