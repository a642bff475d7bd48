import { afterAll, beforeAll, expect, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { type ExportScene, exportScene } from '../support/export-scene.ts';
import { openAt, take } from '../support/state.ts';

let scene: ExportScene;
const config = { tables: [{ table: 'one' }, { table: 'two' }] };

/** The command, and its one JSON document. */
async function json(...args: string[]) {
  const { code, stdout, stderr } = await scene.run([...args, '--json'], config);
  return { code, stderr, ...JSON.parse(stdout) };
}

beforeAll(async () => {
  scene = await exportScene();
  await scene.table('one', 3);
  await scene.table('two', 3);
  await json('export', '--all');
  await json('compact', '--all');
});

afterAll(() => scene[Symbol.asyncDispose]());

test('a paused table is shown as held with who paused it, and the others go on', async () => {
  const paused = await json('pause', '--table', 'one');
  expect(paused).toMatchObject({
    code: 0,
    tables: [{ table: 'public.one', state: 'paused', before: false, worked_on_by: null }],
  });
  const { paused_by, paused_at } = paused.tables[0];
  expect(paused_by).toMatch(/^.+@.+$/);
  await scene.db.query(`insert into one values (4); insert into two values (4)`);

  const exported = await json('export', '--all');
  expect(exported).toMatchObject({ code: 0 });
  expect(exported.tables.find(({ table }: { table: string }) => table === 'public.one')).toMatchObject({
    ...{ state: 'held', holder: null, expires_at: null, paused_by, paused_since: paused_at },
    run: null,
  });
  expect(exported.tables).toContainEqual(expect.objectContaining({ table: 'public.two', state: 'committed', rows: 1 }));
  const compacted = await json('compact', '--table', 'one', '--rebuild');
  expect(compacted).toMatchObject({ code: 4, tables: [{ state: 'held', paused_by }] });
  expect((await json('status', '--table', 'one')).tables[0]).toMatchObject({ paused: { paused_by, paused_at } });
  const text = await scene.run(['status'], config);
  expect(text.stdout).toContain(`paused by ${paused_by} since `);
});

test('whoever pauses it again is told who did so first; resumed, it is exported from where it was', async () => {
  expect((await json('pause', '--table', 'one')).tables[0]).toMatchObject({ before: true });
  const resumed = await json('resume', '--table', 'one,two');
  expect(resumed.tables).toMatchObject([
    { table: 'public.one', state: 'resumed', paused_by: expect.stringContaining('@') },
    { table: 'public.two', state: 'not_paused', paused_by: null },
  ]);
  expect((await json('export', '--table', 'one')).tables[0]).toMatchObject({ state: 'committed', rows: 1 });
});

test('a table that was never exported can be paused; status shows it, compact knows nothing of it', async () => {
  await scene.table('three', 2);
  const all = { tables: [{ table: 'public.*' }] };
  await scene.run(['pause', '--table', 'three'], all);
  const named = await scene.run(['export', '--table', 'three', '--json'], all);
  expect(named.code).toBe(4);
  const status = await scene.run(['status'], all);
  expect(status.stdout).toMatch(/^public\.three +- .*paused by /m);
  expect((await scene.run(['compact', '--table', 'three'], all)).code).toBe(2);
  await scene.run(['resume', '--all'], all);
  expect((await scene.run(['export', '--table', 'three', '--json'], all)).code).toBe(0);
});

test('with --all, paused tables alone are no failure; the log says so', async () => {
  expect((await json('pause', '--all')).tables).toHaveLength(2);
  const { code, stderr } = await scene.run(['export', '--all'], config);
  expect(code).toBe(0);
  expect(stderr).toMatch(/"level":"info".*"table":"public\.one".*"msg":"paused"/);
  expect((await scene.run(['export', '--all', '--quiet'], config)).stderr).toBe('');
  expect((await json('resume', '--all')).tables.length).toBeGreaterThanOrEqual(2);
});

test('what is under way when it is paused ends normally', async () => {
  await using store = await openAt(scene.db.url);
  const { lease } = await take(store, 'one', 'host pid 1');
  expect((await json('pause', '--table', 'one')).tables[0]).toMatchObject({ worked_on_by: 'host pid 1' });
  expect(await store.renew([lease], 1000)).toEqual([]);
  await store.release([lease]);
  expect((await json('export', '--table', 'one')).code).toBe(4);
  await json('resume', '--all');
});

test('a name that nobody knows is refused', async () => {
  for (const command of ['pause', 'resume']) {
    const options = { cwd: scene.cwd, env: { DATABASE_URL: scene.db.url } };
    expect(await runHere([command, '--table', 'nowhere', '--config', 'tidemark-1.yaml'], options)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('TABLE_UNKNOWN'),
    });
  }
});
