import { expect, test } from 'vitest';
import { isLoopback, isOwnHost, originOf } from '../../../src/status/hosts.ts';

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.7', false],
  ['127.0.0.1.example.com', false],
  ['myhost', false],
])('%s is this machine alone: %s', (host, alone) => {
  expect(isLoopback(host)).toBe(alone);
});

test.each([
  ['127.0.0.1:9393', true],
  ['[::1]:9393', true],
  ['localhost:9393', true],
  ['LOCALHOST', true],
  ['192.168.1.4:9393', true],
  ['evil.example:9393', false],
  ['localhost.evil.example', false],
  ['127.0.0.1.evil.example:9393', false],
  ['', false],
  [undefined, false],
  ['a b', false],
])('a request for the host %s is answered: %s', (header, answered) => {
  expect(isOwnHost(header, '127.0.0.1')).toBe(answered);
});

test('a request for the name that the page listens by is answered', () => {
  expect(isOwnHost('status.internal:9393', 'status.internal')).toBe(true);
});

test.each([
  [{ site: 'same-origin' }, 'ours'],
  [{ site: 'same-site' }, 'elsewhere'],
  [{ site: 'cross-site' }, 'elsewhere'],
  [{ site: 'none' }, 'elsewhere'],
  // A proxy that speaks TLS: what the browser says counts, not the names.
  [{ site: 'same-origin', origin: 'https://status.example', host: '127.0.0.1:9393' }, 'ours'],
  [{ origin: 'http://10.0.0.7:9393', host: '10.0.0.7:9393' }, 'ours'],
  [{ origin: 'http://10.0.0.7:8080', host: '10.0.0.7:9393' }, 'elsewhere'],
  [{ origin: 'null', host: '10.0.0.7:9393' }, 'elsewhere'],
  [{ host: '10.0.0.7:9393' }, 'nowhere'],
] as const)('a form with %o comes from %s', (headers, from) => {
  expect(originOf({ site: undefined, origin: undefined, host: undefined, ...headers })).toBe(from);
});
