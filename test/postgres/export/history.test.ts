/** Another server, or another past of the same one, between two runs: what is new comes, whatever its transaction ids are, and the change is said. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, describe, expect } from 'vitest';
import { debianBinDir, testWithDebianPostgres } from '../../support/debian-postgres.ts';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase } from '../../support/postgres.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { ask, baseBackup, caughtUp, copyOf, promote, startStandby } from '../../support/standby.ts';

const TABLE = 'create table t (id int primary key, v int, updated_at timestamptz not null default now())';
const pause = (ms: number) => new Promise((go) => setTimeout(go, ms));

/** Uses up transaction ids, as other work on a server does. */
const burn = (url: string, count: number) =>
  ask(url, `do $$ begin for i in 1..${count} loop perform pg_current_xact_id(); commit; end loop; end $$`);

const clients: pg.Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});

async function sessions(server: PostgresServer, count: number): Promise<pg.Client[]> {
  const made = Array.from({ length: count }, () => new pg.Client({ connectionString: server.url() }));
  for (const client of made) {
    client.on('error', () => {});
    await client.connect();
  }
  clients.push(...made);
  return made;
}

type Story = {
  state: Awaited<ReturnType<typeof createDatabase>>;
  first: Exporter;
  /** The same lake and state store, with this server as the source. */
  on(server: PostgresServer): Promise<Exporter>;
  ids(): Promise<number[]>;
};

/** A server with rows 1 to 5 exported, and the state elsewhere. */
async function exported(server: PostgresServer, story: (story: Story) => Promise<void>): Promise<void> {
  await using state = await createDatabase();
  await ask(server.url(), TABLE);
  await ask(server.url(), 'insert into t select i, 0 from generate_series(1, 5) i');
  await using first = await createExporter(server.url(), { stateUrl: state.url });
  await first.run('t');
  const others: Exporter[] = [];
  try {
    await story({
      state,
      first,
      async on(other) {
        others.push(await createExporter(other.url(), { stateUrl: state.url, lakeDir: first.lakeDir }));
        return others.at(-1)!;
      },
      ids: async () => [...new Set((await first.rows('t')).map(({ id }) => Number(id)))].sort((a, b) => a - b),
    });
  } finally {
    for (const other of others) await other[Symbol.asyncDispose]();
  }
}

const doubt = async (exporter: Exporter) => (await exporter.state.status())[0].mark?.doubt?.why ?? null;

describe('failover', () => {
  testWithDebianPostgres(
    'a promoted standby: ids that are used again are exported, and the doubt stays until a full run',
    async () => {
      const binDir = debianBinDir();
      await using primary = await startPostgres({ binDir });
      await exported(primary, async ({ on, ids }) => {
        await using standby = await startStandby(primary);
        await caughtUp(primary, standby);
        await standby.stop();
        // Commits that the standby never has: their ids are used again there.
        await ask(primary.url(), 'insert into t values (6)');
        await burn(primary.url(), 20);
        await ask(primary.url(), 'insert into t values (7)');
        const before = await on(primary);
        await before.run('t');
        await primary.stop('immediate');
        await standby.start();
        await promote(standby);
        const [{ id }] = await ask<{ id: string }>(
          standby.url(),
          'insert into t values (8) returning xmin::text as id',
        );
        expect(BigInt(id)).toBeLessThan((await before.mark('t'))!.xmin);
        const exporter = await on(standby);
        const outcome = await exporter.run('t');
        expect(outcome.changed).toBe('the source is on timeline 2 instead of 1');
        expect(await ids()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        expect(await doubt(exporter)).toBe('the source is on timeline 2 instead of 1');
        await ask(standby.url(), 'insert into t values (9)');
        expect(await exporter.run('t')).toMatchObject({ rows: 1n, changed: undefined });
        expect(await doubt(exporter)).not.toBeNull();
        expect(await exporter.run('t', { full: true })).toMatchObject({ state: 'committed' });
        expect(await doubt(exporter)).toBeNull();
      });
    },
  );

  testWithDebianPostgres('ids that were seen on the old server and are under way on the new one', async () => {
    const binDir = debianBinDir();
    await using primary = await startPostgres({ binDir });
    await exported(primary, async ({ on }) => {
      await using standby = await startStandby(primary);
      await caughtUp(primary, standby);
      await standby.stop();
      const open = await sessions(primary, 1);
      await open[0].query('begin; insert into t values (100)');
      await burn(primary.url(), 30);
      await ask(primary.url(), 'insert into t values (6)');
      const before = await on(primary);
      await before.run('t');
      const [{ from, to }] = (await before.mark('t'))!.seen;
      await primary.stop('immediate');
      await standby.start();
      await promote(standby);
      const writers = await sessions(standby, 4);
      const taken: bigint[] = [];
      for (const [i, writer] of writers.entries()) {
        await writer.query('begin');
        const { rows } = await writer.query('insert into t values ($1) returning xmin::text as id', [20 + i]);
        taken.push(BigInt(rows[0].id));
      }
      expect(taken.filter((id) => from <= id && id < to).length).toBeGreaterThan(0);
      const exporter = await on(standby);
      await exporter.run('t');
      for (const writer of writers) await writer.query('commit');
      expect(await exporter.run('t')).toMatchObject({ rows: 4n });
    });
  });

  testWithDebianPostgres('without a cursor everything comes again, and there is nothing left to doubt', async () => {
    const binDir = debianBinDir();
    await using primary = await startPostgres({ binDir });
    await exported(primary, async ({ first, on }) => {
      const settings = { cursor: 'none' as const, folder: 'scanned' };
      await first.run('t', { settings });
      await using standby = await startStandby(primary);
      await caughtUp(primary, standby);
      await promote(standby);
      const exporter = await on(standby);
      expect(await exporter.run('t', { settings })).toMatchObject({
        rows: 5n,
        changed: expect.stringContaining('timeline'),
      });
      const status = (await exporter.state.status()).find(({ folder }) => folder === 'scanned');
      expect(status).toMatchObject({ lastRun: { full: true }, mark: { doubt: null } });
      expect(await exporter.run('t', { settings })).toMatchObject({ state: 'nothing' });
    });
  });

  testWithDebianPostgres('a standby of the promoted server tells the new timeline at once', async () => {
    const binDir = debianBinDir();
    await using primary = await startPostgres({ binDir });
    await exported(primary, async ({ on, state }) => {
      await using standby = await startStandby(primary);
      await using second = await startPostgres({ binDir, dataDir: await baseBackup(standby, true) });
      await caughtUp(primary, second);
      const exporter = await on(second);
      expect(await exporter.run('t')).toMatchObject({ changed: undefined });
      await promote(standby);
      await ask(standby.url(), 'insert into t values (6)');
      await caughtUp(standby, second);
      expect(await exporter.run('t')).toMatchObject({ changed: 'the source is on timeline 2 instead of 1' });
      // The receiver is gone with its server: unknown, and no change.
      await standby.stop('immediate');
      await pause(300);
      expect(await exporter.run('t')).toMatchObject({ changed: undefined });
      const [{ timeline }] = await state.query(
        "select mark->'history'->>'timeline' as timeline from tidemark.source_table",
      );
      expect(timeline).toBe('2');
    });
  });
});

describe('restores', () => {
  testWithDebianPostgres('a base backup: the same system with ids that went back', async () => {
    const binDir = debianBinDir();
    await using old = await startPostgres({ binDir });
    await exported(old, async ({ first, on, ids }) => {
      const backup = await baseBackup(old, false);
      await burn(old.url(), 30);
      await ask(old.url(), 'insert into t values (6)');
      await first.run('t');
      await old.stop();
      await using restored = await startPostgres({ binDir, dataDir: backup });
      await ask(restored.url(), 'insert into t values (7)');
      const outcome = await (await on(restored)).run('t');
      expect(outcome.changed).toMatch(/went back/);
      expect(await ids()).toContain(7);
    });
  });

  testWithDebianPostgres('a copied folder', async () => {
    const binDir = debianBinDir();
    await using old = await startPostgres({ binDir });
    await exported(old, async ({ first, on, ids }) => {
      await old.stop();
      const copy = await copyOf(old);
      await old.start();
      await burn(old.url(), 30);
      await first.run('t');
      await old.stop();
      await using copied = await startPostgres({ binDir, dataDir: copy });
      await ask(copied.url(), 'insert into t values (7)');
      expect((await (await on(copied)).run('t')).changed).toMatch(/went back/);
      expect(await ids()).toContain(7);
    });
  });

  testWithDebianPostgres('a dump that was restored elsewhere is another table: all of it comes', async () => {
    const binDir = debianBinDir();
    await using old = await startPostgres({ binDir });
    await exported(old, async ({ on }) => {
      await using other = await startPostgres({ binDir });
      // Other oids than by chance the same ones.
      await ask(other.url(), 'create table before (x int)');
      await promisify(execFile)('bash', [
        '-c',
        `set -o pipefail; ${binDir}/pg_dump ${old.url()} | ${binDir}/psql -q -v ON_ERROR_STOP=1 ${other.url()}`,
      ]);
      await ask(other.url(), "insert into t values (6, 0, '2001-01-01')");
      const exporter = await on(other);
      expect(await exporter.run('t')).toMatchObject({ rows: 6n, changed: 'the source is another system' });
      expect((await exporter.state.status())[0]).toMatchObject({ lastRun: { full: true }, mark: { doubt: null } });
    });
  });

  testWithDebianPostgres('pg_resetwal to a smaller id', async () => {
    const binDir = debianBinDir();
    await using server = await startPostgres({ binDir });
    await exported(server, async ({ first, on, ids }) => {
      await burn(server.url(), 3000);
      await ask(server.url(), 'insert into t values (6)');
      await first.run('t');
      const [{ xmax }] = await ask<{ xmax: string }>(
        server.url(),
        'select pg_snapshot_xmax(pg_current_snapshot())::text as xmax',
      );
      await server.stop();
      const as = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
      await promisify(execFile)(`${binDir}/pg_resetwal`, ['-x', String(Number(xmax) - 1000), server.dataDir], as);
      await server.start();
      await ask(server.url(), 'insert into t values (7)');
      expect((await (await on(server)).run('t')).changed).toBe('transaction ids went back');
      expect(await ids()).toContain(7);
    });
  });

  testWithDebianPostgres('a restart, also after a crash, is no other history', async () => {
    const binDir = debianBinDir();
    await using server = await startPostgres({ binDir });
    await exported(server, async ({ on, first }) => {
      for (const how of ['fast', 'immediate'] as const) {
        await ask(server.url(), 'checkpoint');
        await first.run('t').catch(() => first.run('t'));
        await server.stop(how);
        await server.start();
        expect(await (await on(server)).run('t')).toMatchObject({ changed: undefined });
      }
    });
  });
});
