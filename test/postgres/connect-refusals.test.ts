/** What a user is told when servers and poolers refuse, each by one that does; and several hosts. */

import { chown, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { briefLook } from '../../src/postgres/brief-look.ts';
import { connect, disconnect } from '../../src/postgres/connect.ts';
import { openState } from '../../src/state/open-state.ts';
import { type Pgbouncer, startPgbouncer, testWithPgbouncer } from '../support/pgbouncer.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

type Failure = { code: string; message: string; hint?: string };

const forever = new AbortController().signal;
const open = (url: string) => connect({ role: 'source', url, env: {} }, forever);

async function failure(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('it was not refused');
}

const openStateAt = async (url: string) => {
  const options = { url, env: {}, schema: 'tidemark', maxConnections: 1, migrate: 'if-needed' } as const;
  await (await openState(options, pino({ level: 'silent' }), forever))[Symbol.asyncDispose]();
};

let server: PostgresServer;
let admin: pg.Client;
const url = (login = 'app:hushhush', database = 'postgres') =>
  `postgres://${login}@127.0.0.1:${server.port}/${database}`;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_connections: '8', superuser_reserved_connections: '3' } });
  admin = await open(server.url());
  for (const role of ['app', 'narrow', 'stranger'])
    await admin.query(`create role ${role} login password 'hushhush' connection limit ${role === 'narrow' ? 0 : -1}`);
  await admin.query('create database narrow connection limit 0');
});

afterAll(async () => {
  if (admin) await disconnect(admin);
  await server?.[Symbol.asyncDispose]();
});

describe('no connection left: the hint names the limit', () => {
  test.each([
    ['of the role', () => url('narrow:hushhush'), 'ALTER ROLE "narrow" CONNECTION LIMIT'],
    ['of the database', () => url('app:hushhush', 'narrow'), 'ALTER DATABASE "narrow" CONNECTION LIMIT'],
  ])('%s', async (_, given, hint) => {
    expect(await failure(open(given()))).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('too many connections for'),
      hint: expect.stringContaining(hint),
    });
  });

  test('of the server', async () => {
    const held: pg.Client[] = [];
    try {
      const refused = await failure(
        (async () => {
          for (;;) held.push(await open(url()));
        })(),
      );
      expect(refused).toMatchObject({ code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('max_connections') });
    } finally {
      await Promise.all(held.map(disconnect));
    }
  });
});

describe('several hosts', () => {
  let standby: PostgresServer;

  beforeAll(async () => {
    standby = await startPostgres();
    await standby.stop();
    const signal = path.join(standby.dataDir, 'standby.signal');
    await writeFile(signal, '');
    if (process.getuid?.() === 0) await chown(signal, 65534, 65534);
    await standby.start();
  });
  afterAll(() => standby?.[Symbol.asyncDispose]());

  const hosts = (ports: number[], attrs: string) =>
    `postgres://postgres:postgres@${ports.map((port) => `127.0.0.1:${port}`)}/postgres?target_session_attrs=${attrs}`;

  test.each(['read-write', 'primary'])('%s: the first one that takes writes', async (attrs) => {
    const client = await open(hosts([1, standby.port, server.port], attrs));
    expect(client.port).toBe(server.port);
    await disconnect(client);
  });

  test('none of them: what is the matter with each', async () => {
    const error = await failure(open(hosts([1, standby.port], 'read-write')));
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('failover') });
    expect(error.message).toMatch(/connection refused \(source: 127\.0\.0\.1:1\); the server is a standby.*read-write/);
  });

  test('a host that refuses the login is not passed over', async () => {
    const given = hosts([server.port, standby.port], 'primary').replace(':postgres@', ':hushhush2@');
    expect(await failure(open(given))).toMatchObject({
      code: 'SOURCE_AUTH',
      message: expect.stringMatching(/^user "postgres" was refused/),
    });
  });

  test.each([
    ['standby', () => standby, () => server],
    ['read-only', () => standby, () => server],
    ['primary', () => server, () => standby],
  ])('one host, %s', async (attrs, fits, fitsNot) => {
    await disconnect(await open(hosts([fits().port], attrs)));
    expect(await failure(open(hosts([fitsNot().port], attrs)))).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining(`target_session_attrs=${attrs}`),
    });
  });

  test('read-write is not a server whose sessions are read-only', async () => {
    await admin.query('alter role app set default_transaction_read_only = on');
    const given = `${url()}?target_session_attrs=read-write`;
    expect(await failure(open(given))).toMatchObject({ message: expect.stringContaining('the server is read-only') });
    await admin.query('alter role app reset all');
  });

  test('a standby cannot hold the state store', async () => {
    expect(await failure(openStateAt(standby.url()))).toMatchObject({
      code: 'STATE_READ_ONLY',
      message: 'a standby cannot hold the state store, for it takes no writes',
      hint: expect.stringContaining('state.url'),
    });
  });
});

describe('a pooler', () => {
  let pooler: Pgbouncer | undefined;
  const through = async (given: string) => {
    const logins = ['app', 'narrow', 'gone'].map((name): [string, string] => [name, 'hushhush']);
    const settings = ['query_wait_timeout = 1', 'server_login_retry = 1'];
    pooler ??= await startPgbouncer(server.url(), { logins, settings });
    return pooler.through(given);
  };
  afterAll(() => pooler?.[Symbol.asyncDispose]());

  testWithPgbouncer('each of its refusals, in words that help', async () => {
    const cases: [string, Partial<Failure> | object][] = [
      [`${url()}?options=-c%20geqo%3Doff`, { code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('options=') }],
      [url('app:hushhush2'), { code: 'SOURCE_AUTH', message: expect.stringContaining('user "app"') }],
      [url('stranger:hushhush'), { code: 'SOURCE_AUTH', hint: expect.stringContaining('known to the pooler') }],
      [url('gone:hushhush'), { code: 'SOURCE_AUTH', message: expect.stringContaining('user "gone"') }],
      [url('narrow:hushhush'), { code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('ALTER ROLE "narrow"') }],
      [url('app:hushhush', 'unreachable'), { code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('behind') }],
      [`${url()}?sslmode=require`, { code: 'SOURCE_TLS', message: expect.stringContaining('no TLS') }],
    ];
    for (const [given, expected] of cases) {
      const error = await failure(open(await through(given)));
      expect(error, `${given}: ${error.message} / ${error.hint}`).toMatchObject(expected);
    }
  });

  testWithPgbouncer('one that knows no other databases, and one that is full', async () => {
    await using small = await startPgbouncer(server.url(), {
      only: 'postgres',
      settings: ['max_client_conn = 1'],
      logins: [['app', 'hushhush']],
    });
    // Whoever saw that it is up counts for a moment.
    const first = await vi.waitFor(() => open(small.through(url())), 30_000);
    expect(await failure(open(small.through(url())))).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      hint: expect.stringContaining('max_client_conn'),
    });
    await disconnect(first);
    // The pooler takes its time to see that the first one is gone.
    const unknown = () => failure(open(small.through(url('app:hushhush', 'nowhere'))));
    await expect
      .poll(unknown)
      .toMatchObject({ code: 'SOURCE_DATABASE', message: expect.stringContaining('"nowhere"') });
  });

  testWithPgbouncer('one that lends by the statement: which setting, from the source and from the state', async () => {
    await using statements = await startPgbouncer(server.url(), { poolMode: 'statement' });
    const given = statements.through(server.url());
    const expected = { code: 'POOLER_MODE', hint: expect.stringContaining('pool_mode = transaction') };
    const look = briefLook({ role: 'source', url: given, env: {} }, async () => {}, forever);
    expect(await failure(look)).toMatchObject(expected);
    expect(await failure(openStateAt(given))).toMatchObject(expected);
  });
});

test('a server that is starting: try again', async () => {
  await server.stop('immediate');
  const started = server.start();
  const seen = new Set<string>();
  for (;;) {
    const error = await failure(open(server.url())).catch(() => null);
    if (error === null) break;
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    seen.add(error.message);
  }
  await started;
  expect([...seen].join()).toMatch(/connection refused|does not take connections now/);
});
