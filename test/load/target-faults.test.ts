import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { never } from '../support/state.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const DROPS = [drop('a'), drop('b')];
const ROWS = (key: string) =>
  key === 'a'
    ? [
        [1, 'one', 1],
        [2, 'two', 2],
        [-1, 'bad', 3],
      ]
    : [
        [3, 'three', 3],
        [4, 'four', 4],
      ];
const TABLE = `${EVENTS}; alter table events add check (id > 0)`;

async function onDatabase(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await work(client).finally(() => client.end());
}

/** Everything is there once, and the ledger says so. */
async function expectLoaded(db: Pick<TestDatabase, 'query'>, known = '0') {
  expect(await db.query('select id from events order by id')).toEqual(['1', '2', '3', '4'].map((id) => ({ id })));
  expect(
    await db.query('select key, state, rows_in, rows_out, rows_rejected from tidemark.load_drop order by key'),
  ).toEqual([
    { key: 'a', state: 'loaded', rows_in: '3', rows_out: '2', rows_rejected: '1' },
    { key: 'b', state: 'loaded', rows_in: '2', rows_out: '2', rows_rejected: '0' },
  ]);
  expect(await db.query('select sum(rows_known) as known from tidemark.load_drop')).toEqual([{ known }]);
  expect(await db.query('select key, line, text from tidemark.load_reject')).toEqual([
    { key: 'a', line: '3', text: 'a:3' },
  ]);
}

test.each(['locked', 'inserted', 'finished', 'committed'])(
  'a connection that the server ends at “%s” costs nothing',
  async (at) => {
    await using db = await createDatabase();
    await db.query(TABLE);
    let killed = 0;
    const step = async (name: string) => {
      if (name !== at || killed > 0) return;
      const gone = await db.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'tidemark load' and datname = current_database()`,
      );
      killed = gone.length;
    };
    await using target = await openTarget(settingsOf(db.url), { step });
    const outcome = await target.load(batchOf(await target.claim(DROPS, never), ROWS), originals, never);
    expect(killed).toBe(1);
    expect(outcome.drops.map(({ state, counts }) => [state, counts.rowsOut, counts.rejected])).toEqual([
      ['loaded', 2, 1],
      ['loaded', 2, 0],
    ]);
    await expectLoaded(db);
  },
);

test('a commit whose answer is lost is found out from the ledger', async () => {
  await using db = await createDatabase();
  await db.query(TABLE);
  await using proxy = await startTcpProxy(Number(new URL(inject('postgresUrl')).port));
  await using target = await openTarget(settingsOf(proxy.through(db.url)));
  const batch = batchOf(await target.claim(DROPS, never), ROWS);
  let swallowed = 0;
  let finishing = false;
  proxy.judge = (message) => {
    finishing ||= message.includes('rows_known = d.k');
    if (!finishing || swallowed > 0 || !message.includes('commit\0')) return 'pass';
    swallowed++;
    return 'swallow';
  };
  const outcome = await target.load(batch, originals, never);
  expect(swallowed).toBe(1);
  expect(outcome.drops).toMatchObject([
    { state: 'loaded', counts: { rowsIn: 3, rowsOut: 2, rejected: 1, known: 0 } },
    { state: 'loaded' },
  ]);
  await expectLoaded(db);
});

test.each(['40001', '40P01', '53100', '55P03'])('after %s the batch is loaded again', async (code) => {
  await using db = await createDatabase();
  await db.query(`${TABLE}; create sequence tries;
    create function fails() returns trigger language plpgsql as $$ begin
      if nextval('tries') <= 2 then raise exception 'not now' using errcode = '${code}'; end if; return new; end $$;
    create trigger t before insert on events for each row execute function fails()`);
  await using target = await openTarget(settingsOf(db.url));
  await target.load(batchOf(await target.claim(DROPS, never), ROWS), originals, never);
  await expectLoaded(db);
});

test('a server that restarts in the middle is waited for', async () => {
  await using server = await startPostgres();
  const url = server.url();
  await onDatabase(url, (client) => client.query(TABLE));
  let stopped = false;
  const step = async (name: string) => {
    if (name !== 'inserted' || stopped) return;
    stopped = true;
    await server.stop('immediate');
    setTimeout(() => void server.start(), 300);
  };
  {
    await using target = await openTarget(settingsOf(url), { step });
    await target.load(batchOf(await target.claim(DROPS, never), ROWS), originals, never);
  }
  expect(stopped).toBe(true);
  await onDatabase(url, (client) => expectLoaded({ query: async (text) => (await client.query(text)).rows }));
});

test('an abort in the middle leaves nothing behind, and the drops free', async () => {
  await using db = await createDatabase();
  await db.query(TABLE);
  const stop = new AbortController();
  const step = async (name: string) => {
    if (name === 'inserted') stop.abort(new Error('enough'));
  };
  {
    await using target = await openTarget(settingsOf(db.url), { step });
    const batch = batchOf(await target.claim(DROPS, never), ROWS);
    await expect(target.load(batch, originals, stop.signal)).rejects.toThrow('enough');
  }
  expect(await db.query('select * from events')).toEqual([]);
  await using target = await openTarget(settingsOf(db.url));
  await target.load(batchOf(await target.claim(DROPS, never), ROWS), originals, never);
  await expectLoaded(db);
});

test('what the database’s encoding has no place for is a reject', async () => {
  await using db = await createDatabase();
  const name = `${db.name}_latin`;
  await db.query(`create database ${name} template template0 encoding 'LATIN1' locale 'C'`);
  try {
    const url = Object.assign(new URL(db.url), { pathname: `/${name}` }).href;
    await onDatabase(url, (client) => client.query(EVENTS));
    {
      await using target = await openTarget(settingsOf(url));
      const batch = batchOf(await target.claim([drop('a')], never), () => [
        [1, 'é', 1],
        [2, '日本', 2],
        [3, 'x', 3],
        [4, '語', 4],
      ]);
      const outcome = await target.load(batch, async () => new Map(), never);
      expect(outcome.drops).toMatchObject([{ counts: { rowsOut: 2, rejected: 2 } }]);
    }
    await onDatabase(url, async (client) => {
      const events = await client.query('select id, name from events order by id');
      expect(events.rows).toEqual([
        { id: '1', name: 'é' },
        { id: '3', name: 'x' },
      ]);
      const rejects = await client.query('select line from tidemark.load_reject order by line');
      expect(rejects.rows).toEqual([{ line: '2' }, { line: '4' }]);
    });
  } finally {
    await db.query(`drop database ${name} with (force)`);
  }
});
