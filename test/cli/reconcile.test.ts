/** `tidemark reconcile` as it is typed: what it prints, its JSON, its exit codes. */

import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { type ExportScene, exportScene } from '../support/export-scene.ts';

let scene: ExportScene;
beforeAll(async () => {
  scene = await exportScene();
  await scene.table('shop', 2_000);
  await scene.table('late', 10);
  await scene.db.query('create table log (x int)');
  const config = {
    source: { url: scene.db.url },
    lake: 'file:./lake',
    spool: { path: './spool' },
    tables: [{ table: 'public.*' }, { table: 'log', key: 'none' }],
  };
  await writeFile(path.join(scene.cwd, 'tidemark.yaml'), JSON.stringify(config));
});
afterAll(() => scene[Symbol.asyncDispose]());

test('from the first look to the staged table', async () => {
  const run = async (...args: string[]) => {
    const { code, stdout } = await runHere([...args, '--log-level', 'error'], scene);
    return { code, lines: stdout.trimEnd().split('\n') };
  };
  expect(await run('reconcile')).toMatchObject({ code: 2 });
  await run('export', '--all');
  expect(await run('reconcile', '--table', 'shop')).toEqual({
    code: 3,
    lines: ['public.shop  skipped: there is no staged table: tidemark compact --table public.shop comes first'],
  });
  await run('compact', '--table', 'shop,log');
  await scene.db.query('delete from shop where id <= 3');
  const dry = await run('reconcile', '--all', '--dry-run');
  expect(dry.code).toBe(0);
  expect(dry.lines).toEqual([
    expect.stringMatching(/^public\.shop +dry run +3 deleted +2,000 staged +1,997 in the source +\d/),
    '  id=1',
    '  id=2',
    '  id=3',
    'public.late  skipped: there is no staged table: tidemark compact --table public.late comes first',
    'public.log  skipped: it has no key: rows cannot be told apart',
  ]);
  const done = await run('reconcile', '--all');
  expect(done.lines[0]).toMatch(/^public\.shop +run \d+ +3 deleted/);
  expect(done.lines.at(-1)).toMatch(/^tidemark compact takes the deleted rows out/);
  // What waits is said.
  expect((await run('reconcile', '--table', 'shop')).lines.join('\n')).toContain('public.shop: 1 run waits');
  await run('compact', '--all');
  expect((await run('query', 'select count(*) as n from shop', '--format', 'csv')).lines).toEqual(['n', '1997']);
  const history = `select distinct _tidemark_op as op, count(*) as n from raw.shop where id <= 3 group by all order by op`;
  expect((await run('query', history, '--format', 'csv')).lines).toEqual(['op,n', 'd,6', 'u,3']);
  expect((await run('reconcile', '--all')).lines).toEqual([
    expect.stringMatching(/^public\.late +nothing deleted +10 staged +10 in the source/),
    expect.stringMatching(/^public\.shop +nothing deleted +1,997 staged +1,997 in the source/),
    'public.log  skipped: it has no key: rows cannot be told apart',
  ]);

  await scene.db.query('truncate shop');
  const { code, stdout } = await runHere(['reconcile', '--table', 'shop,late', '--json'], scene);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).tables).toEqual([
    {
      table: 'public.shop',
      run: null,
      state: 'failed',
      keys: 0,
      staged_keys: 0,
      deleted: 0,
      waiting_runs: 0,
      seconds: expect.any(Number),
      error: expect.objectContaining({ code: 'RECONCILE_MANY', hint: expect.stringContaining('--accept-deletes') }),
    },
    expect.objectContaining({ table: 'public.late', state: 'nothing', keys: 10, staged_keys: 10, deleted: 0 }),
  ]);
  expect(await run('reconcile', '--table', 'shop', '--accept-deletes')).toMatchObject({ code: 0 });
  // Nothing stays in the spool.
  expect(await readdir(path.join(scene.cwd, 'spool/own'))).toEqual([]);
});
