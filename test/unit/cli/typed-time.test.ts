import { expect, test } from 'vitest';
import { parseSpan, parseTime } from '../../../src/cli/typed-time.ts';

test.each([
  ['2026-11-20', '2026-11-20T00:00:00Z', 0n],
  ['2026-11-20 10:22', '2026-11-20T10:22:00Z', 0n],
  ['2026-11-20T10:22:30.123456+01', '2026-11-20T09:22:30Z', 123456n],
  ['2026-11-20 10:22:30.5 -0530', '2026-11-20T15:52:30Z', 500000n],
  ['2024-02-29 23:59:59Z', '2024-02-29T23:59:59Z', 0n],
  // As Postgres and `status` print it.
  ['2026-11-20 10:22:30.000001+00', '2026-11-20T10:22:30Z', 1n],
])('%s is exact', (typed, iso, micros) => {
  expect(parseTime(typed, '--as-of')).toBe(BigInt(Date.parse(iso)) * 1000n + micros);
});

test.each([
  '',
  'yesterday',
  '2026-02-30',
  '2026-13-01',
  '2026-11-20 25:00',
  '2026-11-20 10:22:30.1234567',
  '20.11.2026',
])('%j is no instant', (typed) => {
  expect(() => parseTime(typed, '--as-of')).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('--as-of') }),
  );
});

test('a span is written as in the configuration', () => {
  expect(parseSpan('1d12h', '--retention')).toBe(36 * 3_600_000);
  expect(() => parseSpan('7 days', '--retention')).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
