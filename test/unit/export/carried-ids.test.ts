import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CarriedIds } from '../../../src/export/carried-ids.ts';
import type { IdRange } from '../../../src/model/mark.ts';

/** As rows carry them: 32 bits each. */
function add(carried: CarriedIds, ids: bigint[]): void {
  const view = new DataView(new ArrayBuffer(ids.length * 4));
  for (const [i, id] of ids.entries()) view.setUint32(i * 4, Number(id & 0xffff_ffffn));
  carried.add(
    view,
    Int32Array.from(ids, (_, i) => i * 4),
    0,
    ids.length,
  );
}

const sorted = (ids: Iterable<bigint>) => [...new Set(ids)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

test('the ids from xmin to xmax that are not known to be finished, 64 bits wide, across the end of 32 bits', () => {
  const near = fc.bigInt({ min: 2n ** 33n - 30n, max: 2n ** 33n + 30n });
  const pair = fc.tuple(near, near).map(([a, b]) => (a < b ? [a, b] : [b, a]));
  const range: fc.Arbitrary<IdRange> = pair.filter(([a, b]) => a < b).map(([from, to]) => ({ from, to }));
  fc.assert(
    fc.property(pair, fc.array(range, { maxLength: 4 }), fc.array(near), ([xmin, xmax], ranges, ids) => {
      // Disjoint and none empty, as the look has them.
      const finished = ranges.filter((r, i) => ranges.slice(0, i).every((o) => o.to <= r.from || r.to <= o.from));
      // Postgres gives no transaction an id whose low 32 bits are 0, 1 or 2.
      const visible = ids.filter((id) => id < xmax && (id & 0xffff_ffffn) > 2n);
      const carried = new CarriedIds({ xmin, xmax }, finished);
      add(carried, visible.slice(0, 3));
      add(carried, visible.slice(3));
      const isFinished = (id: bigint) => finished.some(({ from, to }) => from <= id && id < to);
      expect(sorted(carried.ids())).toEqual(sorted(visible.filter((id) => id >= xmin && !isFinished(id))));
    }),
  );
});

test('the greatest id of 32 bits is an id like others', () => {
  const carried = new CarriedIds({ xmin: 0xffff_fff0n, xmax: 2n ** 32n + 5n }, []);
  add(carried, [0xffff_ffffn, 0xffff_ffffn, 0xffff_fffen]);
  expect(sorted(carried.ids())).toEqual([0xffff_fffen, 0xffff_ffffn]);
});
