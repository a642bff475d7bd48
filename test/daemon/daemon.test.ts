/** The daemon as its users see it: rows go on their way by themselves, what is wrong is said, and it can be told things. */

import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type DaemonScene, daemonScene, PATIENCE, type Running } from './scene.ts';

describe('a daemon', () => {
  let scene: DaemonScene;
  let daemon: Running;

  beforeAll(async () => {
    scene = await daemonScene();
    await scene.table('invoice');
    await scene.table('note');
    await scene.configure();
    daemon = scene.start();
    await daemon.says('compacted', { table: 'public.note' });
  });

  afterAll(() => scene[Symbol.asyncDispose]());

  test('exports and compacts what there is; each run is a line with table, run, rows, bytes and seconds', async () => {
    const line = await daemon.says('exported', { table: 'public.invoice' });
    expect(line).toMatchObject({ level: 'info', run: expect.any(Number), rows: 3, files: 1 });
    expect(line.bytes).toBeGreaterThan(0);
    expect(line.seconds).toBeGreaterThan(0);
    expect(await daemon.says('compacted', { table: 'public.invoice' })).toMatchObject({ version: 0, inserted: 3 });
    expect(await scene.query('select count(*)::int as n from invoice')).toEqual([{ n: 3 }]);
  });

  test('says nothing while nothing changes', async () => {
    const before = daemon.lines().length;
    const [{ now }] = await scene.db.query<{ now: string }>('select clock_timestamp()::text as now');
    await vi.waitFor(async () => {
      const checked = 'select count(*) as n from tidemark.source_table where last_checked_at > $1';
      expect(await scene.db.query(checked, [now])).toEqual([{ n: '2' }]);
    }, PATIENCE);
    expect(daemon.lines().slice(before)).toEqual([]);
  });

  test('a changed row is soon in raw and in staged', async () => {
    await scene.db.query(`update invoice set note = 'changed', updated_at = now() where id = 2`);
    await daemon.says('compacted', { table: 'public.invoice', updated: 1 });
    expect(await scene.query(`select id, note from invoice where note = 'changed'`)).toEqual([
      { id: 2, note: 'changed' },
    ]);
    expect(await scene.query(`select count(*)::int as n from raw.invoice`)).toEqual([{ n: 4 }]);
  });

  test('SIGHUP reads the configuration anew: a new table is found, another one is left out', async () => {
    await scene.table('late_comer');
    await scene.configure({ tables: [{ table: 'public.*' }, { table: 'note', skip: true }] });
    daemon.kill('SIGHUP');
    await daemon.says('configuration reloaded');
    await daemon.says('a new table', { table: 'public.late_comer' });
    await daemon.says('the table is gone', { table: 'public.note' });
    await daemon.says('exported', { table: 'public.late_comer' });
  });

  test('a bad configuration is refused with its error, and the old one stays', async () => {
    await writeFile(
      path.join(scene.cwd, 'tidemark.yaml'),
      'source: { url: "postgres://h/d" }\nlake: file:./lake\ntabels: []\n',
    );
    daemon.kill('SIGHUP');
    const line = await daemon.says('the configuration was not reloaded; the old one stays');
    expect(line).toMatchObject({
      level: 'error',
      err: { code: 'CONFIG_INVALID', message: expect.stringMatching('tabels') },
    });
    await scene.db.query(`insert into invoice values (10, 'still', now())`);
    await daemon.says('compacted', { table: 'public.invoice', inserted: 1 });
  });

  test('one that needs a restart is refused likewise, and says what', async () => {
    await scene.configure({ lake: 'file:./elsewhere', status: { listen: '127.0.0.1:1' }, schedule: { export: 'off' } });
    daemon.kill('SIGHUP');
    await vi.waitFor(() => {
      const [, line] = daemon.said('the configuration was not reloaded; the old one stays');
      expect(line).toMatchObject({
        err: { code: 'CONFIG_RESTART', message: 'lake, status.listen cannot change while the daemon runs' },
      });
    }, PATIENCE);
    await scene.db.query(`insert into invoice values (11, 'still', now())`);
    await vi.waitFor(
      () => expect(daemon.said('compacted').filter(({ inserted }) => inserted === 1)).toHaveLength(2),
      PATIENCE,
    );
  });

  test('a second one on the same port says so before it begins anything', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as net.AddressInfo;
    await scene.configure({ status: { listen: `127.0.0.1:${port}` } });
    const { code, stderr } = await scene.start().ended;
    taken.close();
    expect(code).toBe(3);
    expect(stderr).toMatch(new RegExp(`STATUS_LISTEN: .*127\\.0\\.0\\.1:${port}.*\nhint: `));
    expect(stderr).not.toMatch(/daemon started|tables found/);
  });

  test('SIGTERM ends it at once when nothing is under way, with 143; no lease is held', async () => {
    daemon.kill('SIGTERM');
    const { code, stdout } = await daemon.ended;
    expect([code, stdout]).toEqual([143, '']);
    expect(daemon.said('daemon stopped')).toHaveLength(1);
    expect(await scene.held()).toEqual([]);
  });
});

test('a failing table is said with its retry, and keeps no other from being exported', async () => {
  await using scene = await daemonScene();
  await scene.table('good');
  await scene.db.query('create table keyless (x int)');
  await scene.db.query(`create table odd (id int primary key, v numeric); insert into odd values (1, 'NaN')`);
  await scene.configure({
    tables: [{ table: 'public.*' }, { table: 'gone' }, { table: 'odd', columns: { v: { type: 'decimal(10,2)' } } }],
  });
  const daemon = scene.start();
  await daemon.says('compacted', { table: 'public.good' });
  const line = await daemon.says('failed', { table: 'public.odd' });
  expect(line).toMatchObject({ level: 'warn', kind: 'export', times: 1, err: { code: 'VALUE_UNFIT' } });
  expect(line.retry_in_seconds).toBeGreaterThanOrEqual(9);
  // An entry for a table that is not there is an error of the configuration, said once.
  expect(await daemon.says('the tables of the configuration')).toMatchObject({
    level: 'error',
    err: { code: 'TABLE_UNKNOWN', message: expect.stringMatching('gone') },
  });
  await scene.db.query(`insert into good values (10, 'more', now())`);
  await daemon.says('compacted', { table: 'public.good', inserted: 1 });
  // Not before it said; on a slow machine that may have come.
  for (const again of daemon.said('failed').filter(({ table, times }) => table === 'public.odd' && times !== 1)) {
    expect(Date.parse(again.time) - Date.parse(line.time)).toBeGreaterThanOrEqual(9_000);
  }
  expect(daemon.said('the tables of the configuration')).toHaveLength(1);
});
