/** Large tables read from a standby: in chunks, and by several connections under one snapshot. */

import pg from 'pg';
import { expect } from 'vitest';
import { exportSnapshot, joinSnapshot } from '../../../src/postgres/join-snapshot.ts';
import { openSnapshot } from '../../../src/postgres/snapshot.ts';
import { debianBinDir, testWithDebianPostgres } from '../../support/debian-postgres.ts';
import { createExporter } from '../../support/exporter.ts';
import { startPostgres } from '../../support/postgres-server.ts';
import { ask, caughtUp, promote, startStandby } from '../../support/standby.ts';

const NAME = { schema: 'public', table: 't' };

async function client(url: string): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: url });
  made.on('error', () => {});
  await made.connect();
  return made;
}

testWithDebianPostgres(
  'transactions of the primary that are open across the chunks; a promotion among them',
  async () => {
    const binDir = debianBinDir();
    await using primary = await startPostgres({ binDir });
    await ask(
      primary.url(),
      `create table t (id int primary key, version int not null default 0, pad text not null default repeat('x', 700),
     updated_at timestamptz not null default clock_timestamp())`,
    );
    await ask(primary.url(), 'insert into t select generate_series(1, 400)');
    await using standby = await startStandby(primary);
    await caughtUp(primary, standby);
    const [open, writer] = [await client(primary.url()), await client(primary.url())];
    await open.query('begin; update t set version = 1, updated_at = now() where id in (1, 400)');
    await writer.query('update t set version = 1 where id = 2');
    await caughtUp(primary, standby);
    await using exporter = await createExporter(standby.url(), {
      stateUrl: primary.url(),
      primaryUrl: primary.url(),
      connections: 1,
    });
    const settings = { chunkBytes: 64 << 10, marginMs: 0 };
    let done = 0;
    const outcome = await exporter.run('t', {
      settings,
      step: async (name) => {
        if (name !== 'chunk-noted' || ++done !== 2) return;
        await open.query('commit');
        await writer.query('update t set version = version + 1, updated_at = now() where id in (3, 399)');
        await caughtUp(primary, standby);
      },
    });
    expect(done).toBeGreaterThan(3);
    // What the last chunk could not see any more comes with the next run.
    expect(outcome).toMatchObject({ state: 'committed', rows: 398n });
    expect(await exporter.run('t', { settings })).toMatchObject({ rows: 4n });
    const versions = (await exporter.rows('t')).map((row) => `${row.id}:${row.version}`);
    expect(new Set(versions).size).toBe(versions.length);
    for (const row of ['1:1', '2:1', '3:1', '399:1', '400:1', '200:0']) expect(versions).toContain(row);

    // Another timeline: nothing that was read before counts.
    let noted = 0;
    const steps: string[] = [];
    const after = await exporter.run('t', {
      settings,
      full: true,
      step: async (name) => {
        steps.push(name);
        if (name === 'chunk-noted' && ++noted === 2) await promote(standby);
      },
    });
    expect(steps).toContain('uploads-aborted');
    expect(after).toMatchObject({ rows: 400n });
    await open.end();
    await writer.end();
  },
);

testWithDebianPostgres('a standby lends its snapshot to another connection', async () => {
  await using primary = await startPostgres({ binDir: debianBinDir() });
  await ask(primary.url(), 'create table t (id int primary key)');
  await using standby = await startStandby(primary);
  await caughtUp(primary, standby);
  const [first, second] = [await client(standby.url()), await client(standby.url())];
  const { rows } = await first.query(`select 't'::regclass::oid::int as oid`);
  await openSnapshot(first, { name: NAME, oid: rows[0].oid }, 10_000);
  const id = await exportSnapshot(first);
  await ask(primary.url(), 'insert into t values (1)');
  await caughtUp(primary, standby);
  await joinSnapshot(second, id, NAME, 10_000);
  expect((await second.query('select * from public.t')).rows).toEqual([]);
  await second.query('commit');
  expect((await second.query('select * from public.t')).rows).toHaveLength(1);
  await first.end();
  await second.end();
});
