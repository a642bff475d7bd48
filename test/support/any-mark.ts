/** Marks for property tests: ids of all 63 bits, ranges sorted and apart, instants to the microsecond. */

import fc from 'fast-check';
import type { IdRange, Mark } from '../../src/model/mark.ts';

const id = fc.bigInt({ min: 3n, max: 9_223_372_036_854_775_000n });
const clock = fc.bigInt({ min: 0n, max: 32_503_680_000_000_000n });

const ranges = fc.uniqueArray(id, { maxLength: 40 }).map((ids): IdRange[] => {
  const ends = ids.sort((a, b) => (a < b ? -1 : 1));
  const pairs: IdRange[] = [];
  for (let i = 0; i + 1 < ends.length; i += 2) pairs.push({ from: ends[i], to: ends[i + 1] });
  return pairs;
});

export const anyMark: fc.Arbitrary<Mark> = fc.record({
  xmin: id,
  seen: ranges,
  floor: fc.option(clock),
  watermark: fc.option(fc.constantFrom('infinity', '2026-07-01 09:30:00.123457+00', '0044-03-15 00:00:00+00 BC')),
  at: clock,
  prepared: fc.array(fc.record({ id, floor: fc.option(clock) }), { maxLength: 3 }),
  leaves: fc.option(
    fc
      .uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff }), { maxLength: 5 })
      .map((oids) => oids.sort((a, b) => a - b).map((oid) => ({ oid, filenode: oid % 1000 }))),
  ),
  history: fc.option(
    fc.record({
      system: fc.option(fc.constant('7571000000000000001')),
      timeline: fc.option(fc.nat(100)),
      lsn: fc.option(id),
      xmax: id,
    }),
  ),
  doubt: fc.option(fc.record({ at: clock, why: fc.constant('the source is another system') })),
  trail: fc.array(
    fc.record({ at: clock, value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), column: fc.constant('rev') }),
    {
      maxLength: 4,
    },
  ),
});
