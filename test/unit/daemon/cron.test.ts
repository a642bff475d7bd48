import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSchedule } from '../../../src/daemon/cron.ts';

const at = (text: string) => Date.parse(text);

function fires(expression: string, timezone: string, after: string, count: number): (string | null)[] {
  const schedule = parseSchedule(expression, timezone)!;
  const found: (string | null)[] = [];
  for (let i = 0, t = at(after); i < count; i++) {
    const next = schedule.next(t);
    found.push(next === null ? null : new Date(next).toISOString().replace(':00.000Z', 'Z'));
    if (next === null) break;
    t = next;
  }
  return found;
}

test('a cron expression, in UTC', () => {
  expect(fires('*/5 * * * *', 'UTC', '2026-11-20T10:02:30Z', 3)).toEqual([
    '2026-11-20T10:05Z',
    '2026-11-20T10:10Z',
    '2026-11-20T10:15Z',
  ]);
});

test('next is after, never at, the time given', () => {
  expect(fires('0 10 * * *', 'UTC', '2026-11-20T10:00:00Z', 1)).toEqual(['2026-11-21T10:00Z']);
});

test('six fields begin with seconds', () => {
  expect(fires('15,45 0 * * * *', 'UTC', '2026-11-20T10:00:20Z', 2)).toEqual([
    '2026-11-20T10:00:45.000Z',
    '2026-11-20T11:00:15.000Z',
  ]);
});

test('@every is counted from 1970, so that processes agree and restarts change nothing', () => {
  const schedule = parseSchedule('@every 30s', 'UTC')!;
  expect(schedule.next(at('2026-11-20T10:00:01Z'))).toBe(at('2026-11-20T10:00:30Z'));
  expect(schedule.next(at('2026-11-20T10:00:30Z'))).toBe(at('2026-11-20T10:01:00Z'));
});

test.each([
  ['@hourly', '2026-11-20T11:00Z'],
  ['@daily', '2026-11-21T00:00Z'],
  ['@weekly', '2026-11-22T00:00Z'],
  ['@monthly', '2026-12-01T00:00Z'],
])('%s', (expression, next) => {
  expect(fires(expression, 'UTC', '2026-11-20T10:30:00Z', 1)).toEqual([next]);
});

test('off is no schedule', () => {
  expect(parseSchedule('off', 'UTC')).toBeNull();
});

test('days of the month and of the week must both match, as node-cron has it', () => {
  expect(fires('0 0 13 * 5', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual(['2026-02-13T00:00Z', '2026-03-13T00:00Z']);
});

test('the last day of a month, the second Friday, and 29 February are found however far they are', () => {
  expect(fires('0 0 L * *', 'UTC', '2026-02-10T00:00:00Z', 2)).toEqual(['2026-02-28T00:00Z', '2026-03-31T00:00Z']);
  expect(fires('0 0 * * 5#2', 'UTC', '2026-11-20T00:00:00Z', 1)).toEqual(['2026-12-11T00:00Z']);
  expect(fires('0 0 29 2 *', 'UTC', '2097-01-01T00:00:00Z', 1)).toEqual(['2104-02-29T00:00Z']);
});

test('the time zone decides what the hour is', () => {
  expect(fires('0 4 * * *', 'Asia/Kolkata', '2026-11-20T10:00:00Z', 1)).toEqual(['2026-11-20T22:30Z']);
});

describe('clocks go forward', () => {
  test('a daily time that does not exist comes an hour later, once', () => {
    expect(fires('30 2 * * *', 'Europe/Berlin', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:30Z',
      '2026-03-30T00:30Z',
    ]);
  });

  test('and is not missed by a process that looks at it in that very hour', () => {
    expect(fires('30 2 * * *', 'Europe/Berlin', '2026-03-29T01:10:00Z', 2)).toEqual([
      '2026-03-29T01:30Z',
      '2026-03-30T00:30Z',
    ]);
  });

  test('two times that become one are one', () => {
    expect(fires('15 2,3 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 3)).toEqual([
      '2026-03-29T01:15Z',
      '2026-03-30T00:15Z',
      '2026-03-30T01:15Z',
    ]);
  });

  test('what comes every half hour goes on', () => {
    expect(fires('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:20:00Z', 3)).toEqual([
      '2026-03-29T00:30Z',
      '2026-03-29T01:00Z',
      '2026-03-29T01:30Z',
    ]);
  });

  test('midnight, where it is midnight that does not exist', () => {
    expect(fires('0 0 * * *', 'America/Havana', '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T05:00Z',
      '2026-03-09T04:00Z',
    ]);
  });
});

describe('clocks go back', () => {
  test('a daily time that comes twice counts the first time', () => {
    expect(fires('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  test('also for a process that starts between the two', () => {
    expect(fires('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:50:00Z', 1)).toEqual(['2026-10-26T01:30Z']);
  });

  test('what comes every half hour goes on through both hours', () => {
    expect(fires('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:10:00Z', 4)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:00Z',
    ]);
  });

  test('by half an hour', () => {
    expect(fires('*/20 * * * *', 'Australia/Lord_Howe', '2026-04-04T14:30:00Z', 3)).toEqual([
      '2026-04-04T14:40Z',
      '2026-04-04T15:10Z',
      '2026-04-04T15:30Z',
    ]);
  });
});

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Havana', 'Asia/Kolkata'];
const EXPRESSIONS = [
  '*/7 * * * *',
  '30 2 * * *',
  '0 0 * * *',
  '0 4 * * 0',
  '5 1-3 * * *',
  '0 30 1,2 * * *',
  '0 */6 * * *',
];

test('next(t) is after t, never skips a time, and a daily time comes once on each day of its zone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.constantFrom(...EXPRESSIONS),
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-12-31T00:00:00Z') }),
      fc.integer({ min: 0, max: 86_400_000 }),
      (timezone, expression, from, back) => {
        const schedule = parseSchedule(expression, timezone)!;
        const next = schedule.next(from)!;
        expect(next).toBeGreaterThan(from);
        // From any moment before, no other time may lie between.
        const between = schedule.next(from - back)!;
        expect(between <= from || between === next).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
  for (const timezone of ZONES) {
    const schedule = parseSchedule('30 2 * * *', timezone)!;
    const day = new Intl.DateTimeFormat('en-CA', { timeZone: timezone });
    const days: string[] = [];
    for (let t = at('2026-01-01T00:00:00Z'); days.length < 700; ) {
      t = schedule.next(t)!;
      days.push(day.format(t));
    }
    expect(new Set(days).size).toBe(700);
    expect((at(days[699]) - at(days[0])) / 86_400_000).toBe(699);
  }
});
