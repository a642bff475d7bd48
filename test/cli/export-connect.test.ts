/** `tidemark export` with a wrong configuration or a source that cannot be reached: what is said, and that nothing is touched. */

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene, variable } from '../support/export-scene.ts';

let scene: ExportScene;
let role: { name: string; url: string };

beforeAll(async () => {
  scene = await exportScene();
  role = await scene.db.role();
  await scene.table('invoice');
});

afterAll(() => scene[Symbol.asyncDispose]());

/** The role's URL with parts of it replaced; the password is in it. */
const url = (parts: Partial<URL>) => Object.assign(new URL(role.url), parts).href;
const stored = { url: variable('STATE_URL') };

test('an unknown key: where, and which one was meant', async () => {
  const ended = await scene.export('invoice', { source: { url: role.url, conections: 2 } });
  expectError(ended, { exit: 2, code: 'CONFIG_INVALID', says: /yaml:1:\d+.*conections/, hint: /configuration/ });
  await scene.isUntouched('invoice');
});

test('a variable that is not set: its name', async () => {
  const ended = await scene.export('invoice', {
    source: { url: `postgres://me:hushhush@${variable('PGHOST_OF_MINE')}/x` },
  });
  expectError(ended, { exit: 2, code: 'ENV_MISSING', says: /PGHOST_OF_MINE/, hint: /PGHOST_OF_MINE/ });
  await scene.isUntouched('invoice');
});

describe('a URL that does not lead to the database', () => {
  test.each([
    ['no URL at all', () => 'hushhush', 2, 'CONFIG_INVALID', /yaml:1:\d+.*source's URL/, /postgres:\/\//],
    [
      'another scheme',
      () => url({}).replace('postgres:', 'mysql:'),
      2,
      'CONFIG_INVALID',
      /yaml:1:\d+.*source's URL/,
      /postgres:\/\//,
    ],
    [
      'an authority to verify, and none named: the source is meant, where the state is in it',
      () => `${url({})}?sslmode=verify-ca`,
      2,
      'CONFIG_INVALID',
      /which authority signs the source$/,
      /tls: \{ ca/,
    ],
    [
      'a port where nothing listens',
      () => url({ port: '1' }),
      3,
      'SOURCE_UNREACHABLE',
      /refused.*127\.0\.0\.1:1\b/,
      /source\.url/,
    ],
    [
      'a host that does not exist',
      () => url({ hostname: 'no.such.host.invalid' }),
      3,
      'SOURCE_UNREACHABLE',
      /host name is not known/,
      /source\.url/,
    ],
    [
      'no such database',
      () => url({ pathname: '/nowhere' }),
      3,
      'SOURCE_DATABASE',
      /no database "nowhere"/,
      /source\.url/,
    ],
    [
      'a wrong password',
      () => url({ password: 'hushhush2' }),
      3,
      'SOURCE_AUTH',
      /wrong user or password/,
      /source\.url/,
    ],
    ['no such user', () => url({ username: 'nobody_at_all' }), 3, 'SOURCE_AUTH', /nobody_at_all/, /source\.url/],
  ])('%s', async (_, given, exit, code, says, hint) => {
    const ended = await scene.export('invoice', { source: { url: given() }, state: stored });
    expectError(ended, { exit, code, says, hint });
    await scene.isUntouched('invoice');
  });

  test('something answers there, and it is not Postgres', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as { port: number };
      const ended = await scene.export('invoice', { source: { url: url({ port: String(port) }) }, state: stored });
      expectError(ended, { exit: 3, code: 'SOURCE_UNREACHABLE', says: /127\.0\.0\.1/, hint: /Postgres/ });
    } finally {
      server.close();
    }
    await scene.isUntouched('invoice');
  });

  test('the password is in no JSON either, nor in the log beside it', async () => {
    const config = { source: { url: url({ password: 'hushhush2' }) }, state: stored };
    const ended = await scene.run(['export', '--table', 'invoice', '--json', '--log-level', 'trace'], config);
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'SOURCE_AUTH', hint: expect.any(String) } });
    expect(ended.stdout + ended.stderr).not.toContain('hushhush');
  });
});

test('a state store that cannot be reached, while the source can', async () => {
  await scene.db.query(`grant select on invoice to ${role.name}`);
  const config = { source: { url: role.url }, state: { url: url({ port: '1' }) } };
  const ended = await scene.export('invoice', config);
  expectError(ended, { exit: 3, code: 'STATE_UNREACHABLE', says: /refused/, hint: /state\.url/ });
  await scene.isUntouched('invoice');
});

test('afterwards a normal run is complete', async () => {
  await scene.isWholeAfterwards('invoice', { source: { url: role.url }, state: stored });
});
