/** `auth: rds-iam`: the token that goes out as the password, seen by a server that reads it. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { redact } from '../../src/config/redact.ts';
import { connect, disconnect } from '../../src/postgres/connect.ts';
import type { ConnectOptions } from '../../src/postgres/connect-options.ts';
import { regionOf } from '../../src/postgres/rds-token.ts';
import { type Certificates, hasOpenssl, makeCertificates } from '../support/certificates.ts';
import { startPasswordServer } from '../support/password-server.ts';

const forever = new AbortController().signal;
const REFUSED = 'PAM authentication failed for user "app"';

const options = (port: number, more: Partial<ConnectOptions> & { query?: string } = {}): ConnectOptions => ({
  role: 'source',
  url: `postgres://app@127.0.0.1:${port}/shop${more.query ?? ''}`,
  auth: 'rds-iam',
  awsRegion: 'eu-west-1',
  env: {},
  ...more,
});

async function failure(given: ConnectOptions) {
  try {
    await disconnect(await connect(given, forever));
  } catch (error) {
    return error as { code: string; message: string; hint: string; cause: unknown };
  }
  throw new Error('it connected');
}

beforeEach(() => {
  for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nowhere');
  vi.stubEnv('AWS_PROFILE', undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'sesamesesame');
  vi.stubEnv('AWS_SESSION_TOKEN', 'hushhush/session');
});
afterEach(() => void vi.unstubAllEnvs());

test.each([
  ['shop.c9akciq32.eu-west-1.rds.amazonaws.com', 'eu-west-1'],
  ['shop.cluster-ro-c9akciq32.us-gov-west-1.rds.amazonaws.com', 'us-gov-west-1'],
  ['SHOP.proxy-c9akciq32.ap-southeast-2.rds.amazonaws.com', 'ap-southeast-2'],
  ['shop.c9akciq32.rds.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['db.example', undefined],
  ['eu-west-1.rds.amazonaws.com.evil.example', undefined],
])('the region of %s is %s', (host, region) => expect(regionOf(host)).toBe(region));

describe.skipIf(!(await hasOpenssl()))('a login (needs openssl)', () => {
  let made: Certificates;

  beforeAll(async () => {
    made = await makeCertificates();
  });
  afterAll(() => made?.[Symbol.asyncDispose]());

  test('the password is a token for this host, port, user and region, made anew for each connection', async () => {
    await using rds = await startPasswordServer(made);
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-04T05:06:07Z') });
    await (await connect(options(rds.port, { caFile: made.ours }), forever)).connection.stream.destroy();
    vi.setSystemTime(new Date('2026-03-04T06:00:00Z'));
    await (await connect(options(rds.port, { caFile: made.ours }), forever)).connection.stream.destroy();
    vi.useRealTimers();
    const [token, second] = rds.passwords.map((password) => new URL(`https://${password}`));
    expect(`${token.host}${token.pathname}`).toBe(`127.0.0.1:${rds.port}/`);
    expect(Object.fromEntries(token.searchParams)).toEqual({
      Action: 'connect',
      DBUser: 'app',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'AKIDEXAMPLE/20260304/eu-west-1/rds-db/aws4_request',
      'X-Amz-Date': '20260304T050607Z',
      'X-Amz-Expires': '900',
      'X-Amz-Security-Token': 'hushhush/session',
      'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
      'X-Amz-SignedHeaders': 'host',
    });
    expect(second.searchParams.get('X-Amz-Date')).toBe('20260304T060000Z');
  });

  test('a token that is refused is in no word of the error; the hint names role and right', async () => {
    await using rds = await startPasswordServer(made, REFUSED);
    const error = await failure(options(rds.port, { caFile: made.ours }));
    expect(error).toMatchObject({
      code: 'SOURCE_AUTH',
      message: expect.stringContaining(REFUSED),
      hint: expect.stringMatching(/rds_iam.*rds-db:connect/),
    });
    expect(rds.passwords).toHaveLength(1);
    const signature = /Signature=([0-9a-f]+)/.exec(rds.passwords[0])![1];
    expect(JSON.stringify([error, String(error), error.cause])).not.toMatch(new RegExp(`${signature}|hushhush`));
  });

  test('a server that is not verified is not sent a token, unless sslmode=require says so', async () => {
    await using rds = await startPasswordServer(made);
    expect(await failure(options(rds.port))).toMatchObject({ code: 'SOURCE_TLS' });
    expect(await failure(options(rds.port, { caFile: made.another }))).toMatchObject({ code: 'SOURCE_TLS' });
    expect(rds.passwords).toEqual([]);
    (await connect(options(rds.port, { query: '?sslmode=require' }), forever)).connection.stream.destroy();
    expect(rds.passwords).toHaveLength(1);
  });
});

test.each([
  ['sslmode=disable', { query: '?sslmode=disable' }, /needs TLS/],
  ['sslmode=prefer of the environment', { env: { PGSSLMODE: 'prefer' } }, /needs TLS/],
  ['a password too', { url: 'postgres://app:hushhush@127.0.0.1:1/shop' }, /has a password/],
  ['no user', { url: 'postgres://127.0.0.1:1/shop' }, /needs the user's name/],
  ['no region', { awsRegion: undefined }, /cannot tell the region of 127\.0\.0\.1/],
])('%s is refused before anything is sent', async (_, given, says) => {
  const error = await failure(options(1, given));
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(says) });
  expect(error.message + error.hint).not.toContain('hushhush');
});

test('without AWS credentials: where they come from', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) vi.stubEnv(name, undefined);
  expect(await failure(options(1, { role: 'state' }))).toMatchObject({
    code: 'STATE_AUTH',
    message: expect.stringContaining('no AWS credentials'),
    hint: expect.stringContaining('profile'),
  });
});

test('whatever prints a token prints nothing that it proves', () => {
  const token = 'db:5432/?Action=connect&X-Amz-Credential=AKID/x&X-Amz-Security-Token=abc&X-Amz-Signature=0f0f&end=1';
  expect(redact(token)).toBe(
    'db:5432/?Action=connect&X-Amz-Credential=***&X-Amz-Security-Token=***&X-Amz-Signature=***&end=1',
  );
});
