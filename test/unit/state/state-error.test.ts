import { expect, test } from 'vitest';
import { TidemarkError } from '../../../src/model/error.ts';
import { connectionLost } from '../../../src/postgres/connection-lost.ts';
import { stateError, worthRepeating } from '../../../src/state/state-error.ts';

const failed = (code: string, message = 'what Postgres says') => Object.assign(new Error(message), { code });
const place = { schema: 'odd "one"', user: 'Ann', database: 'shop' };

test.each([
  ['42P01', 'STATE_NOT_MIGRATED'],
  ['3F000', 'STATE_NOT_MIGRATED'],
  ['42501', 'STATE_GRANT'],
  ['25006', 'STATE_READ_ONLY'],
  ['0A000', 'STATE_READ_ONLY'],
  ['57014', 'STATE_FAILED'],
  ['53100', 'STATE_FAILED'],
])('SQLSTATE %s is %s', (state, code) => {
  const cause = failed(state);
  expect(stateError(cause, 'commit run 7', place)).toMatchObject({ code, cause });
});

test('a missing right comes with the statements that give it, quoted', () => {
  expect(stateError(failed('42501'), 'take leases', place)).toMatchObject({
    hint: expect.stringContaining('GRANT USAGE ON SCHEMA "odd ""one""" TO "Ann";'),
  });
});

test('our own errors and an abort stay what they are', () => {
  const own = new TidemarkError('LEASE_LOST', 'lost');
  const abort = new DOMException('stopped', 'AbortError');
  expect(stateError(own, 'x', place)).toBe(own);
  expect(stateError(abort, 'x', place)).toBe(abort);
});

test.each(['08006', '57P01', '57P03', 'ECONNRESET', 'EPIPE'])('%s is a lost connection: worth repeating', (code) => {
  expect(connectionLost(failed(code))).toBe(true);
  expect(worthRepeating(failed(code))).toBe(true);
});

test('pg says it without a code, too', () => {
  expect(connectionLost(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(connectionLost(new Error('Client has encountered a connection error and is not queryable'))).toBe(true);
});

test.each(['40001', '40P01'])('%s: Postgres chose us to give way: worth repeating', (code) => {
  expect(worthRepeating(failed(code))).toBe(true);
  expect(connectionLost(failed(code))).toBe(false);
});

test.each(['23505', '42501', '42P01', '57014', '55P03'])('%s would fail again', (code) => {
  expect(worthRepeating(failed(code))).toBe(false);
});
