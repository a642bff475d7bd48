import { expect, test } from 'vitest';
import { SESSION_MS, Sessions } from '../../../src/status/session.ts';
import { Throttle } from '../../../src/status/throttle.ts';

const NOW = 1_800_000_000_000;

test('a cookie is good until its time is over', () => {
  const sessions = new Sessions();
  const cookie = sessions.begin('token', NOW);
  expect(sessions.isValid(cookie, 'token', NOW + SESSION_MS - 1)).toBe(true);
  expect(sessions.isValid(cookie, 'token', NOW + SESSION_MS)).toBe(false);
});

test('a cookie holds no token, and ends when the token changes or the daemon starts again', () => {
  const sessions = new Sessions();
  const cookie = sessions.begin('token', NOW);
  expect(cookie).not.toContain('token');
  expect(sessions.isValid(cookie, 'another', NOW)).toBe(false);
  expect(new Sessions().isValid(cookie, 'token', NOW)).toBe(false);
});

test('a cookie whose time was changed is none', () => {
  const sessions = new Sessions();
  const [until, mac] = sessions.begin('token', NOW).split('.');
  expect(sessions.isValid(`${Number(until) + 1}.${mac}`, 'token', NOW)).toBe(false);
  for (const cookie of ['', '.', until, `${until}.`, `${until}.x`]) {
    expect(sessions.isValid(cookie, 'token', NOW)).toBe(false);
  }
});

test('only the token is the token', () => {
  const sessions = new Sessions();
  expect(sessions.isToken('token', 'token')).toBe(true);
  for (const typed of ['', 'toke', 'tokens', 'Token', 'token\0']) expect(sessions.isToken(typed, 'token')).toBe(false);
});

test('five guesses are free, each one after them doubles the wait up to a minute', () => {
  const throttle = new Throttle();
  const waits: number[] = [];
  let now = NOW;
  for (let guess = 1; guess <= 14; guess++) {
    throttle.failed('10.0.0.1', now);
    waits.push(throttle.waitOf('10.0.0.1', now));
    now += waits.at(-1)!;
  }
  expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1000));
  expect(throttle.waitOf('10.0.0.2', now)).toBe(0);
  throttle.succeeded('10.0.0.1');
  expect(throttle.waitOf('10.0.0.1', now)).toBe(0);
});

test('a whole IPv6 network is one address', () => {
  const throttle = new Throttle();
  for (let guess = 0; guess < 6; guess++) throttle.failed(`2001:db8:1:2::${guess}`, NOW);
  expect(throttle.waitOf('2001:db8:1:2:ffff::9', NOW)).toBeGreaterThan(0);
  expect(throttle.waitOf('2001:db8:1:3::9', NOW)).toBe(0);
});

test('a thousand addresses get no more guesses than they are, until they are forgotten', () => {
  const throttle = new Throttle();
  for (let i = 0; i < 1_000; i++) throttle.failed(`10.0.${i >> 8}.${i & 255}`, NOW);
  expect(throttle.waitOf('10.9.9.9', NOW)).toBeGreaterThan(0);
  expect(throttle.waitOf('10.9.9.9', NOW + 3_600_000)).toBe(0);
});
