/** A standby as the source: alone it guesses how long transactions last; with its primary's activity it is exact. */

import pg from 'pg';
import { afterAll, expect, vi } from 'vitest';
import { debianBinDir, testWithDebianPostgres } from '../../support/debian-postgres.ts';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase } from '../../support/postgres.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { ask, caughtUp, promote, startStandby } from '../../support/standby.ts';

const TABLE = 'create table t (id int primary key, updated_at timestamptz not null default now())';
const pause = (ms: number) => new Promise((go) => setTimeout(go, ms));

type Scene = { primary: PostgresServer; standby: PostgresServer; writer: pg.Client };

async function withStandby(
  story: (scene: Scene) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  const binDir = debianBinDir();
  await using primary = await startPostgres({ binDir });
  await ask(primary.url(), TABLE);
  await using standby = await startStandby(primary, settings);
  const writer = new pg.Client({ connectionString: primary.url() });
  await writer.connect();
  writer.on('error', () => {});
  try {
    await story({ primary, standby, writer });
  } finally {
    await writer.end();
  }
}

const runs = async (exporter: Exporter, times: number) => {
  for (let i = 0; i < times; i++) await exporter.run('t');
};

testWithDebianPostgres('alone, the floor allows for transactions of the primary that nobody sees there', async () => {
  await withStandby(async ({ primary, standby, writer }) => {
    await using exporter = await createExporter(standby.url(), { stateUrl: primary.url() });
    await writer.query('insert into t values (1)');
    await caughtUp(primary, standby);
    await exporter.run('t');
    // Open on the primary for the whole of a run; on the standby there is no sign of it.
    await writer.query('begin; insert into t values (2)');
    await pause(400);
    await runs(exporter, 2);
    await writer.query('commit');
    await caughtUp(primary, standby);
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
  });
});

const LATE = { settings: { lateMs: 0, marginMs: 0 } };

testWithDebianPostgres('without its primary, one that is open for longer than `late` is missed', async () => {
  await withStandby(async ({ primary, standby, writer }) => {
    await using exporter = await createExporter(standby.url(), { stateUrl: primary.url() });
    await writer.query('begin; insert into t values (2)');
    // The floor is cut to a second.
    await pause(1100);
    await exporter.run('t', LATE);
    await writer.query('commit');
    await caughtUp(primary, standby);
    expect(await exporter.run('t', LATE)).toMatchObject({ state: 'nothing' });
  });
});

testWithDebianPostgres('with its primary it is exact, whatever `late` is, also for prepared transactions', async () => {
  await withStandby(async ({ primary, standby, writer }) => {
    await using exporter = await createExporter(standby.url(), { stateUrl: primary.url(), primaryUrl: primary.url() });
    await exporter.run('t', LATE);
    await writer.query('begin; insert into t values (2)');
    await pause(1100);
    await exporter.run('t', LATE);
    await writer.query('commit');
    expect(await exporter.run('t', LATE)).toMatchObject({ rows: 1n });
    await writer.query("begin; insert into t values (3); prepare transaction 'p'");
    await pause(1100);
    await exporter.run('t', LATE);
    await writer.query("commit prepared 'p'");
    expect(await exporter.run('t', LATE)).toMatchObject({ rows: 1n });
    expect(await exporter.run('t', LATE)).toMatchObject({ state: 'nothing' });
  });
});

testWithDebianPostgres(
  'a run waits until the standby has what was committed before it looked, and no longer than its limit',
  async () => {
    await withStandby(async ({ primary, standby, writer }) => {
      const options = { stateUrl: primary.url(), primaryUrl: primary.url() };
      await using exporter = await createExporter(standby.url(), { ...options, primaryWaitMs: 60_000 });
      await using hasty = await createExporter(standby.url(), {
        ...options,
        primaryWaitMs: 400,
        lakeDir: exporter.lakeDir,
      });
      await exporter.run('t', LATE);
      await ask(standby.url(), 'select pg_wal_replay_pause()');
      await writer.query('insert into t values (2)');
      // Its start is in nobody's activity any more, and the standby has no sign of it.
      await expect(hasty.run('t', LATE)).rejects.toMatchObject({ code: 'STANDBY_LAGGING' });
      await pause(1100);
      const running = exporter.run('t', { settings: { ...LATE.settings, folder: 't' } });
      await pause(100);
      await ask(standby.url(), 'select pg_wal_replay_resume()');
      expect(await running).toMatchObject({ rows: 1n });
    });
  },
);

testWithDebianPostgres('on a quiet primary the wait ends, wherever in a page of its WAL it stands', async () => {
  await withStandby(async ({ primary, standby, writer }) => {
    await using exporter = await createExporter(standby.url(), {
      stateUrl: (await stateOf()).url,
      primaryUrl: primary.url(),
    });
    // A switch to a new segment leaves the position behind its header.
    await writer.query('select pg_switch_wal()');
    await caughtUp(primary, standby);
    expect(await exporter.run('t', LATE)).toMatchObject({ state: 'committed' });
  });
});

testWithDebianPostgres('promoted, it is its own primary, whatever the configuration says', async () => {
  await withStandby(async ({ primary, standby, writer }) => {
    const state = await stateOf();
    await using exporter = await createExporter(standby.url(), { stateUrl: state.url, primaryUrl: primary.url() });
    await writer.query('insert into t values (1)');
    await exporter.run('t');
    await primary.stop('immediate');
    await promote(standby);
    await ask(standby.url(), 'insert into t values (2)');
    expect(await exporter.run('t')).toMatchObject({ changed: expect.stringContaining('timeline') });
    expect((await exporter.rows('t')).map(({ id }) => id)).toContain('2');
  });
});

testWithDebianPostgres('another server is not taken for its primary', async () => {
  await withStandby(async ({ primary, standby }) => {
    const other = await stateOf();
    await using itself = await createExporter(standby.url(), { stateUrl: primary.url(), primaryUrl: standby.url() });
    await expect(itself.run('t')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await using exporter = await createExporter(standby.url(), { stateUrl: primary.url(), primaryUrl: other.url });
    await expect(exporter.run('t')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

testWithDebianPostgres('a query that replay cancels is told from other failures', async () => {
  await withStandby(
    async ({ primary, standby, writer }) => {
      await writer.query('insert into t values (1)');
      await caughtUp(primary, standby);
      await using exporter = await createExporter(standby.url(), { stateUrl: (await stateOf()).url });
      const failed = exporter.run('t', { settings: { where: "pg_sleep(30)::text = ''" } }).catch((error) => error);
      const reading = `select from pg_stat_activity where query like 'copy (%' and wait_event = 'PgSleep'`;
      await vi.waitFor(async () => expect(await ask(standby.url(), reading)).toHaveLength(1), 30_000);
      // The run holds the lock that this needs on the standby.
      await writer.query('alter table t add column more int');
      expect(await failed).toMatchObject({ code: 'STANDBY_CONFLICT', place: { table: 'public.t' } });
    },
    { max_standby_streaming_delay: '200ms' },
  );
});

/** A state store elsewhere: of the servers here, none stays as it is. */
const made: AsyncDisposable[] = [];
afterAll(async () => {
  for (const one of made) await one[Symbol.asyncDispose]();
});
async function stateOf() {
  const state = await createDatabase();
  made.push(state);
  return state;
}
