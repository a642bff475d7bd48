import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CursorTracker } from '../../../src/export/cursor-tracker.ts';
import type { Mark } from '../../../src/model/mark.ts';
import type { ColumnData } from '../../../src/parquet/column-data.ts';
import { dateText, EPOCH_DAYS, instantText } from '../../../src/postgres/render.ts';

const DAY = 86_400_000_000n;
const HOUR = 3_600_000_000n;
const mark = (at: bigint, watermark: string | null): Mark => ({
  xmin: 3n,
  seen: [],
  floor: null,
  watermark,
  at,
  prepared: [],
  leaves: null,
  history: null,
  doubt: null,
  trail: [],
});

function microsColumn(values: bigint[]): ColumnData {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeBigInt64LE(value, i * 8);
  return { values: bytes, count: values.length, validity: null };
}

function daysColumn(values: number[]): ColumnData {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4);
  return { values: bytes, count: values.length, validity: null };
}

/** From the year 1 to 9999, often around 1970 and around whole words of 32 bits. */
const micros = fc.oneof(
  fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n),
  fc.bigInt(-(2n ** 33n), 2n ** 33n),
);
const max = (values: bigint[]) => values.reduce((a, b) => (a > b ? a : b));

describe('timestamptz', () => {
  test('the watermark is the greatest value of all groups and of the mark; late is what lies before the last snapshot', () => {
    fc.assert(
      fc.property(fc.array(fc.array(micros)), fc.option(micros), micros, (groups, before, at) => {
        const previous = mark(at, before === null ? null : instantText(before, true));
        const tracker = new CursorTracker('timestamptz', previous);
        for (const group of groups) tracker.add(microsColumn(group));
        const all = groups.flat();
        const seen = before === null ? all : [...all, before];
        expect(tracker.watermark).toBe(seen.length === 0 ? null : instantText(max(seen), true));
        expect(tracker.lateRows).toBe(BigInt(all.filter((value) => value < at).length));
      }),
    );
  });

  test('a first run has no late rows', () => {
    const tracker = new CursorTracker('timestamptz', null);
    tracker.add(microsColumn([-62_135_596_800_000_000n, 0n]));
    expect([tracker.lateRows, tracker.watermark]).toEqual([0n, '1970-01-01 00:00:00+00']);
  });
});

describe('timestamp, whose clock may be anybody’s', () => {
  test('late is what lies before the last watermark', () => {
    const tracker = new CursorTracker('timestamp', mark(100n * DAY, instantText(100n * DAY + HOUR, false)));
    tracker.add(microsColumn([100n * DAY, 100n * DAY + HOUR, 101n * DAY]));
    expect([tracker.lateRows, tracker.watermark]).toEqual([1n, instantText(101n * DAY, false)]);
  });

  test('a watermark further ahead than any clock on earth does not make every row late', () => {
    const tracker = new CursorTracker('timestamp', mark(100n * DAY, '2999-01-01 00:00:00'));
    tracker.add(microsColumn([100n * DAY, 100n * DAY + 14n * HOUR]));
    expect([tracker.lateRows, tracker.watermark]).toEqual([1n, '2999-01-01 00:00:00']);
  });

  test('without a watermark nothing is late', () => {
    const tracker = new CursorTracker('timestamp', mark(100n * DAY, null));
    tracker.add(microsColumn([0n]));
    expect(tracker.lateRows).toBe(0n);
  });
});

test('dates: whole days, also before 1970', () => {
  const day = fc.integer({ min: -719_162, max: 2_932_896 });
  fc.assert(
    fc.property(fc.array(fc.array(day)), day, (groups, before) => {
      const tracker = new CursorTracker('date', mark(253_402_300_799_999_999n, dateText(before - EPOCH_DAYS)));
      for (const group of groups) tracker.add(daysColumn(group));
      const all = groups.flat();
      expect(tracker.watermark).toBe(dateText(Math.max(before, ...all) - EPOCH_DAYS));
      expect(tracker.lateRows).toBe(BigInt(all.filter((value) => value < before).length));
    }),
  );
});
