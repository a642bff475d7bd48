import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportScene, exportScene } from '../support/export-scene.ts';

let scene: ExportScene;

beforeAll(async () => {
  scene = await exportScene();
});

afterAll(() => scene[Symbol.asyncDispose]());

/** Log lines of a command, and its one result. */
async function logged(args: string[], config?: object) {
  const { stdout, stderr } = await scene.run([...args, '--json', '--log-level', 'debug'], config);
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return { result: JSON.parse(stdout).tables[0], lines: lines.map((line) => JSON.parse(line)) };
}

test('whatever is logged of a run that was planned and failed has its number, which is that of the result and of status', async () => {
  await scene.db.query(
    `create table reading (id int primary key, value numeric, updated_at timestamptz default now())`,
  );
  // More than a row group before the row that has no place: by then the run has a number.
  await scene.db.query(
    `insert into reading select i, case when i = 130000 then 'NaN'::numeric else i end from generate_series(1, 130000) i`,
  );
  const config = { tables: [{ table: 'reading', columns: { value: { type: 'decimal(18,2)' } } }] };
  const { result, lines } = await logged(['export', '--table', 'reading'], config);
  expect(result).toMatchObject({ state: 'failed', run: expect.any(Number), error: { code: 'VALUE_UNFIT' } });
  const about = lines.filter(({ table }) => table === 'public.reading');
  expect(about.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['the table failed', 'failed']));
  expect(about.map(({ run }) => run)).toEqual(about.map(() => result.run));
  const { result: status } = await logged(['status'], config);
  expect(status.failure.run).toBe(result.run);
});

test('a run that fails before it is planned gets a number too', async () => {
  await scene.db.query('create table keyless (id int)');
  const { result, lines } = await logged(['export', '--table', 'keyless']);
  expect(result).toMatchObject({ state: 'failed', run: expect.any(Number) });
  expect(lines.find(({ msg }) => msg === 'failed')).toMatchObject({ table: 'public.keyless', run: result.run });
});

test('a run that is committed, and what is repaired of one that was not', async () => {
  await scene.table('fine', 3);
  const { result, lines } = await logged(['export', '--table', 'fine']);
  expect(lines.find(({ msg }) => msg === 'exported')).toMatchObject({ table: 'public.fine', run: result.run });
  await scene.db.query(`update tidemark.run set state = 'planned' where run = $1`, [result.run]);
  await scene.db.query(`insert into fine values (4)`);
  const { lines: after } = await logged(['export', '--table', 'fine']);
  expect(after.find(({ msg }) => msg === 'an unfinished run is removed')).toMatchObject({ run: result.run });
});
