import fc from 'fast-check';
import { expect, test } from 'vitest';
import { connectionOptions } from '../../../src/postgres/connect-options.ts';
import { parseDatabaseUrl } from '../../../src/postgres/database-url.ts';

const parse = (url: string) => parseDatabaseUrl(url, "the source's URL");

test.each([
  ['postgres://u:p@h:5433/d', { user: 'u', password: 'p', hosts: [{ host: 'h', port: 5433 }], database: 'd' }],
  ['postgresql://h/d', { hosts: [{ host: 'h' }], database: 'd' }],
  ['postgres://', {}],
  ['postgres:///d?host=/var/run/postgresql', { hosts: [{ host: '/var/run/postgresql' }], database: 'd' }],
  ['postgres://u@%2Ftmp/d', { user: 'u', hosts: [{ host: '/tmp' }], database: 'd' }],
  ['postgres://[2001:db8::1]:6432/d', { hosts: [{ host: '2001:db8::1', port: 6432 }], database: 'd' }],
  [
    'postgres://u%40corp:p%2Fq%3A%23@h/My%20Db',
    { user: 'u@corp', password: 'p/q:#', hosts: [{ host: 'h' }], database: 'My Db' },
  ],
  ['postgres://u:p#s@s@h/d', { user: 'u', password: 'p#s@s', hosts: [{ host: 'h' }], database: 'd' }],
  ['postgres://u:x?y!@h/d', { user: 'u', password: 'x?y!', hosts: [{ host: 'h' }], database: 'd' }],
  [
    'postgres://h/d?ssl=true&connect_timeout=3',
    { hosts: [{ host: 'h' }], database: 'd', sslmode: 'require', connectTimeout: 3 },
  ],
  [
    'postgres://h/d?sslmode=verify-full&sslrootcert=/a%20b.pem',
    { hosts: [{ host: 'h' }], database: 'd', sslmode: 'verify-full', sslrootcert: '/a b.pem' },
  ],
  [
    'postgres://u@h1,h2:5433,[::1]:5434/d?target_session_attrs=read-write',
    {
      user: 'u',
      hosts: [{ host: 'h1' }, { host: 'h2', port: 5433 }, { host: '::1', port: 5434 }],
      sessionAttrs: 'read-write',
      database: 'd',
    },
  ],
  [
    'postgres:///d?host=h1,h2&port=5433&target_session_attrs=primary',
    {
      hosts: [
        { host: 'h1', port: 5433 },
        { host: 'h2', port: 5433 },
      ],
      sessionAttrs: 'primary',
      database: 'd',
    },
  ],
  [
    'postgres://h/d?application_name=x&channel_binding=require',
    { hosts: [{ host: 'h' }], database: 'd', channelBinding: true },
  ],
])('%s', (url, expected) => {
  const found = Object.fromEntries(Object.entries(parse(url)).filter(([, value]) => value !== undefined));
  expect(found).toEqual({ channelBinding: false, sessionAttrs: 'any', hosts: [{}], ...expected });
});

test.each([
  ['', 'it is empty'],
  ['db.example:5432/shop', 'does not begin with postgres://'],
  ['mysql://u:topsecret@h/d', 'does not begin with postgres://'],
  ['postgres://u:topsecret@h:port/d', 'port'],
  ['postgres://u:topsecret@h:70000/d', 'port'],
  ['postgres://u:top/topsecret@h/d', 'port'],
  ['postgres://u:topsecret%zz@h/d', 'a % in its password'],
  ['postgres://u:topsecret@h1,h2/d', 'several hosts'],
  ['postgres://u:topsecret@h1,h2/d?target_session_attrs=standby', 'several hosts'],
  ['postgres://u:topsecret@h1,h2/d?target_session_attrs=prefer-standby', 'target_session_attrs'],
  ['postgres://u:topsecret@/d?host=h1,h2,h3&port=1,2&target_session_attrs=primary', 'port'],
  ['postgres://u:topsecret@h/d?sslmode=sure', 'sslmode'],
  ['postgres://u:topsecret@h/d?gssencmode=require', 'gssencmode'],
  ['postgres://u:topsecret@h/d?channel_binding=must', 'channel_binding'],
  ['postgres://u:topsecret@h/d?sslmod=verify-full', '"sslmod"'],
  ['postgres://u:topsecret@h/d?topsecret!', 'something'],
])('%s is refused, without its password', (url, why) => {
  const error = (() => {
    try {
      parse(url);
    } catch (error) {
      return error as Error & { code: string; hint: string };
    }
    throw new Error('it was taken');
  })();
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) });
  expect(`${error.message} ${error.hint} ${error.stack} ${error.cause}`).not.toContain('topsecret');
});

test('any user, password and database come through percent-encoding', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, text, (user, password, database) => {
      const url = `postgres://${[user, password].map(encodeURIComponent).join(':')}@h/${encodeURIComponent(database)}`;
      expect(parse(url)).toMatchObject({ user, password, database });
    }),
  );
});

test('the mode of the environment counts where the URL has none', () => {
  const tls = (url: string, env: Record<string, string>) => connectionOptions({ role: 'source', url, env }).tls;
  expect(tls('postgres://h/d', { PGSSLMODE: 'disable' }).attempts).toEqual(['plain']);
  expect(tls('postgres://h/d?sslmode=require', { PGSSLMODE: 'disable' }).attempts).toEqual(['tls']);
  expect(tls('postgres://h/d?sslmode=require', { PGSSLROOTCERT: '/ca' })).toMatchObject({ verify: 'chain', ca: '/ca' });
  expect(tls('postgres://h/d', { PGSSLMODE: 'allow' }).attempts).toEqual(['plain', 'tls']);
});

test('the startup packet holds nothing that pgbouncer refuses', () => {
  const { client } = connectionOptions({ role: 'source', url: 'postgres://h/d', env: {} });
  const given = Object.entries(client)
    .filter(([, value]) => value !== undefined)
    .map(([key]) => key);
  expect(given.sort()).toEqual([
    'application_name',
    'database',
    'enableChannelBinding',
    'keepAlive',
    'keepAliveInitialDelayMillis',
  ]);
});
