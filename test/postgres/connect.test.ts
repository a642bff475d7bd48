import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { connect, disconnect, requireVersion } from '../../src/postgres/connect.ts';
import type { ConnectOptions } from '../../src/postgres/connect-options.ts';
import { type Certificates, hasOpenssl, makeCertificates } from '../support/certificates.ts';
import { startPasswordServer } from '../support/password-server.ts';
import { createDatabase } from '../support/postgres.ts';
import { type PostgresServer, ROOT, startPostgres } from '../support/postgres-server.ts';

const forever = new AbortController().signal;

/** The environment of the machine must not decide a test. */
const options = (url: string, more: Partial<ConnectOptions> = {}): ConnectOptions => ({
  role: 'source',
  url,
  env: {},
  ...more,
});

async function failure(...args: Parameters<typeof connect>): Promise<{ code: string; message: string; hint?: string }> {
  try {
    await disconnect(await connect(...args));
  } catch (error) {
    return error as { code: string; message: string; hint?: string };
  }
  throw new Error('it connected');
}

async function encrypted(given: ConnectOptions): Promise<boolean> {
  const client = await connect(given, forever);
  try {
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0].ssl;
  } finally {
    await disconnect(client);
  }
}

test('calls itself tidemark, and times arrive as the text that Postgres prints', async () => {
  await using db = await createDatabase();
  const client = await connect(options(db.url), forever);
  const { rows } = await client.query(`select current_setting('application_name') as name,
    '2024-01-01 00:00:00.123456+00'::timestamptz as at, 'infinity'::date as day, 9007199254740993::int8 as big`);
  expect(rows[0]).toEqual({
    name: 'tidemark',
    at: expect.stringContaining('.123456'),
    day: 'infinity',
    big: '9007199254740993',
  });
  expect(Math.trunc((await requireVersion(client)).number / 10_000)).toBe(inject('postgresMajor'));
  await disconnect(client);
});

test('a connection that the server ends while it is idle does not end the process', async () => {
  await using db = await createDatabase();
  const client = await connect(options(db.url), forever);
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const ended = new Promise((resolve) => client.once('end', resolve));
  await db.query('select pg_terminate_backend($1)', [rows[0].pid]);
  await ended;
  await expect(client.query('select 1')).rejects.toThrow();
  await disconnect(client);
});

describe('what keeps it from connecting', () => {
  test('a refused connection names host and port', async () => {
    expect(await failure(options('postgres://u:topsecret@127.0.0.1:1/db'), forever)).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: 'connection refused (source: 127.0.0.1:1)',
    });
  });

  test('a wrong password, a missing one, a missing database; the password is in none of the words', async () => {
    await using db = await createDatabase();
    const role = await db.role();
    const url = (change: (url: URL) => void) => {
      const changed = new URL(role.url);
      change(changed);
      return changed.href;
    };
    const wrong = await failure(options(url((u) => Object.assign(u, { password: 'topsecret' }))), forever);
    expect(wrong).toMatchObject({
      code: 'SOURCE_AUTH',
      message: expect.stringContaining(`user "${role.name}" was refused`),
    });
    expect(JSON.stringify(wrong) + wrong.message).not.toContain('topsecret');
    const none = await failure(options(url((u) => Object.assign(u, { password: '' }))), forever);
    expect(none).toMatchObject({ code: 'SOURCE_AUTH', hint: expect.stringContaining('PGPASSWORD') });
    const missing = await failure(
      options(
        url((u) => Object.assign(u, { pathname: '/nowhere' })),
        { role: 'state' },
      ),
      forever,
    );
    expect(missing).toMatchObject({ code: 'STATE_DATABASE', message: expect.stringContaining('"nowhere"') });
  });

  test('a role that may not connect to the database is told the GRANT', async () => {
    await using db = await createDatabase();
    const role = await db.role();
    await db.query(`revoke connect on database ${db.name} from public`);
    expect(await failure(options(role.url), forever)).toMatchObject({
      code: 'SOURCE_GRANT',
      hint: `GRANT CONNECT ON DATABASE "${db.name}" TO "${role.name}"`,
    });
  });

  test('a server that accepts and never answers ends at the limit, or when the signal comes', async () => {
    const silent = net.createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `postgres://u:topsecret@127.0.0.1:${(silent.address() as net.AddressInfo).port}/db`;
    expect(await failure(options(url, { connectMs: 50 }), forever)).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('no answer within 0.05 s'),
    });
    const stop = new AbortController();
    const stopped = failure(options(url), stop.signal);
    stop.abort(new Error('enough'));
    expect((await stopped).message).toBe('enough');
    silent.close();
  });
});

test('a Unix socket, a password that needs encoding', async () => {
  await using server = await startPostgres();
  const folder = path.dirname(server.dataDir);
  const admin = await connect(
    options(`postgres://postgres:postgres@/postgres?host=${encodeURIComponent(folder)}&port=${server.port}`),
    forever,
  );
  await admin.query(`create role odd login password 'p@ss: /#?%&'`);
  await disconnect(admin);
  const url = `postgres://odd:${encodeURIComponent('p@ss: /#?%&')}@127.0.0.1:${server.port}/postgres`;
  expect(await encrypted(options(url))).toBe(false);
});

describe.skipIf(!(await hasOpenssl()))('TLS (needs openssl)', () => {
  let made: Certificates;
  let tls: PostgresServer;
  const url = (mode: string, host = '127.0.0.1') =>
    `postgres://postgres:postgres@${host}:${tls.port}/postgres${mode && `?sslmode=${mode}`}`;
  const ca = (name: string) => path.join(made.folder, `${name}.crt`);

  beforeAll(async () => {
    made = await makeCertificates();
    tls = await startPostgres();
    for (const file of [made.cert, made.key]) {
      const copy = path.join(tls.dataDir, path.basename(file));
      await copyFile(file, copy);
      await chmod(copy, 0o600);
      if (process.getuid?.() === 0) await chown(copy, 65534, 65534);
    }
    await writeFile(path.join(tls.dataDir, 'postgresql.auto.conf'), 'ssl = on\n');
    await tls.stop();
    await tls.start();
  });
  afterAll(async () => {
    await tls?.[Symbol.asyncDispose]();
    await made?.[Symbol.asyncDispose]();
  });

  test.each([
    ['', true],
    ['disable', false],
    ['allow', false],
    ['prefer', true],
    ['require', true],
  ])('sslmode=%s needs no authority; encrypted: %s', async (mode, expected) => {
    expect(await encrypted(options(url(mode)))).toBe(expected);
  });

  test('prefer goes on without where the server has no TLS, require does not', async () => {
    await using db = await createDatabase();
    expect(await encrypted(options(`${db.url}?sslmode=prefer`))).toBe(false);
    expect(await failure(options(`${db.url}?sslmode=require`), forever)).toMatchObject({
      code: 'SOURCE_TLS',
      message: expect.stringContaining('no TLS'),
    });
  });

  test.each(['require', 'verify-ca', 'verify-full', ''])(
    'sslmode=%s with the authority that signed the server',
    async (mode) => {
      expect(await encrypted(options(url(mode), { caFile: ca('ours') }))).toBe(true);
    },
  );

  test.each(['require', 'verify-ca', 'verify-full', ''])(
    'sslmode=%s with another authority is refused',
    async (mode) => {
      expect(await failure(options(url(mode), { caFile: ca('another') }), forever)).toMatchObject({
        code: 'SOURCE_TLS',
        message: expect.stringContaining('trusted authority'),
      });
    },
  );

  test('verify-full refuses a host that the certificate does not name; verify-ca takes it', async () => {
    // localhost is not among the certificate's names; 127.0.0.1 is.
    expect(await failure(options(url('verify-full', 'localhost'), { caFile: ca('ours') }), forever)).toMatchObject({
      code: 'SOURCE_TLS',
      message: expect.stringContaining('another host'),
    });
    expect(await encrypted(options(url('verify-ca', 'localhost'), { caFile: ca('ours') }))).toBe(true);
  });

  test('sslrootcert in the URL is the same; without any authority verify-full does not trust a private one', async () => {
    expect(await encrypted(options(`${url('verify-full')}&sslrootcert=${encodeURIComponent(ca('ours'))}`))).toBe(true);
    expect(await failure(options(url('verify-full')), forever)).toMatchObject({
      code: 'SOURCE_TLS',
      hint: expect.stringContaining('tls: { ca'),
    });
  });

  test('an authority that cannot be read, and one that contradicts the mode', async () => {
    expect(await failure(options(url('verify-full'), { caFile: ca('none') }), forever)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(ca('none')),
    });
    expect(await failure(options(url('prefer'), { caFile: ca('ours') }), forever)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('sslmode=prefer'),
    });
  });

  test('a file without a certificate is no authority', async () => {
    const der = path.join(made.folder, 'ours.der');
    await writeFile(der, Buffer.from([0x30, 0x82, 0x03, 0x0a]));
    expect(await failure(options(url('verify-full'), { caFile: der }), forever)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(der),
      hint: expect.stringContaining('PEM'),
    });
  });

  test('a bundle of many authorities, as RDS has one, is searched for the right one', async () => {
    const bundle = path.join(made.folder, 'bundle.crt');
    await writeFile(bundle, (await Promise.all([ca('another'), ca('ours')].map((each) => readFile(each)))).join(''));
    expect(await encrypted(options(url('verify-full'), { caFile: bundle }))).toBe(true);
  });

  test('sslrootcert=system trusts what the machine trusts, and wants the host name too', async () => {
    const system = `${url('verify-full')}&sslrootcert=system`;
    expect(await failure(options(system), forever)).toMatchObject({ code: 'SOURCE_TLS' });
    expect(await failure(options(`${url('require')}&sslrootcert=system`), forever)).toMatchObject({
      code: 'CONFIG_INVALID',
      hint: 'use sslmode=verify-full',
    });
    // Node reads the machine's authorities once, as the process starts to need them.
    const script = `import { connect, disconnect } from '${path.join(ROOT, 'src/postgres/connect.ts')}';
      await disconnect(await connect({ role: 'source', url: process.argv[1], env: {} }, new AbortController().signal));`;
    const trusting = { env: { ...process.env, SSL_CERT_FILE: ca('ours') } };
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, system], trusting);
  });

  test('require verifies the signature where ~/.postgresql/root.crt is, as libpq does', async () => {
    const home = path.join(made.folder, 'home');
    await mkdir(path.join(home, '.postgresql'), { recursive: true });
    vi.stubEnv('HOME', home);
    await copyFile(ca('another'), path.join(home, '.postgresql/root.crt'));
    expect(await failure(options(url('require')), forever)).toMatchObject({ code: 'SOURCE_TLS' });
    expect(await encrypted(options(url('prefer')))).toBe(true);
    await copyFile(ca('ours'), path.join(home, '.postgresql/root.crt'));
    expect(await encrypted(options(url('require')))).toBe(true);
    expect(await encrypted(options(url('verify-full')))).toBe(true);
    vi.unstubAllEnvs();
  });

  test('a server that takes no connection without TLS says so, and the hint names sslmode', async () => {
    const hba = path.join(tls.dataDir, 'pg_hba.conf');
    const before = await readFile(hba, 'utf8');
    const reload = async (text: string) => {
      await writeFile(hba, text);
      const admin = await connect(options(url('require')), forever);
      await admin.query('select pg_reload_conf()');
      await disconnect(admin);
    };
    await reload('hostssl all postgres 127.0.0.1/32 scram-sha-256\n');
    await expect.poll(async () => (await failure(options(url('disable')), forever)).code).toBe('SOURCE_AUTH');
    expect(await failure(options(url('disable')), forever)).toMatchObject({
      message: expect.stringContaining('no encryption'),
      hint: expect.stringContaining('sslmode=verify-full'),
    });
    expect(await encrypted(options(url('allow')))).toBe(true);
    // Nobody else may come in: with or without TLS, so that TLS is not the advice.
    expect(await failure(options(url('prefer').replace('postgres:postgres', 'app:x')), forever)).toMatchObject({
      code: 'SOURCE_AUTH',
      hint: expect.stringContaining('no line for this user'),
    });
    await reload(before);
  });

  test('channel_binding=require: bound to the certificate, or no password goes out', async () => {
    expect(await encrypted(options(`${url('require')}&channel_binding=require`))).toBe(true);
    const plain = await failure(options(`${url('disable')}&channel_binding=require`), forever);
    expect(plain).toMatchObject({ code: 'SOURCE_AUTH', message: expect.stringContaining('no channel binding') });
    await using greedy = await startPasswordServer(made);
    const given = `postgres://app:hushhush@127.0.0.1:${greedy.port}/shop?sslmode=require&channel_binding=`;
    expect(await failure(options(`${given}require`), forever)).toMatchObject({ code: 'SOURCE_AUTH' });
    expect(greedy.passwords).toEqual([]);
    (await connect(options(`${given}prefer`), forever)).connection.stream.destroy();
    expect(greedy.passwords).toEqual(['hushhush']);
  });
});
