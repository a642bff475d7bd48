import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Wire } from '../../../src/model/column-type.ts';
import type { LakeType } from '../../../src/model/lake-type.ts';
import type { ColumnData } from '../../../src/parquet/column-data.ts';
import { makeBuilder } from '../../../src/postgres/builders/make-builder.ts';
import { batchOf, int32Field, int64Field } from './fields.ts';

/** A form of the wire: any value's field, its PLAIN bytes in the lake, or null where it has no place there. */
type Form = {
  name: string;
  wire: Wire;
  lake: LakeType;
  trustText?: boolean;
  value: fc.Arbitrary<{ field: Buffer; plain: Buffer | null }>;
};

const length32 = (length: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(length);
  return bytes;
};
const plainBytes = (bytes: Buffer) => Buffer.concat([length32(bytes.length), bytes]);
const plainText = (text: string) => plainBytes(Buffer.from(text));
const swapped = (field: Buffer) => Buffer.from(field).reverse();
const long = (value: bigint) => swapped(int64Field(value));

/** Edges and anything; long ones too, which take another way than short ones. */
const bytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.nat(9000).map((n) => new Uint8Array(n).fill(n)),
  )
  .map((b) => Buffer.from(b));
const text = fc.string({ unit: 'binary', maxLength: 60 });
const int32 = fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1), fc.integer());
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const DAY = 86_400_000_000n;

const FORMS: Form[] = [
  {
    ...{ name: 'bool', wire: 'bool', lake: { kind: 'boolean' } },
    value: fc.boolean().map((b) => ({ field: Buffer.from([b ? 1 : 0]), plain: Buffer.from([b ? 1 : 0]) })),
  },
  {
    ...{ name: 'int2', wire: 'int2', lake: { kind: 'short' } },
    value: fc
      .integer({ min: -32_768, max: 32_767 })
      .map((n) => ({ field: int32Field(n).subarray(2), plain: swapped(int32Field(n)) })),
  },
  {
    ...{ name: 'int2 as long', wire: 'int2', lake: { kind: 'long' } },
    value: fc
      .integer({ min: -32_768, max: 32_767 })
      .map((n) => ({ field: int32Field(n).subarray(2), plain: long(BigInt(n)) })),
  },
  ...(['int4', 'float4'] as const).map(
    (wire): Form => ({
      ...{ name: wire, wire, lake: { kind: wire === 'int4' ? 'integer' : 'float' } },
      value: int32.map((n) => ({ field: int32Field(n), plain: swapped(int32Field(n)) })),
    }),
  ),
  {
    ...{ name: 'int4 as long', wire: 'int4', lake: { kind: 'long' } },
    value: int32.map((n) => ({ field: int32Field(n), plain: long(BigInt(n)) })),
  },
  {
    ...{ name: 'uint4', wire: 'uint4', lake: { kind: 'long' } },
    value: int32.map((n) => ({ field: int32Field(n), plain: long(BigInt(n >>> 0)) })),
  },
  {
    ...{ name: 'float4 as double', wire: 'float4', lake: { kind: 'double' } },
    value: fc.float({ noNaN: true }).map((n) => {
      const [field, plain] = [Buffer.alloc(4), Buffer.alloc(8)];
      field.writeFloatBE(n);
      plain.writeDoubleLE(n);
      return { field, plain };
    }),
  },
  ...(['int8', 'float8'] as const).map(
    (wire): Form => ({
      ...{ name: wire, wire, lake: { kind: wire === 'int8' ? 'long' : 'double' } },
      value: int64.map((n) => ({ field: int64Field(n), plain: long(n) })),
    }),
  ),
  {
    ...{ name: 'date', wire: 'date', lake: { kind: 'date' } },
    value: fc
      .oneof(
        int32,
        fc.constantFrom(-730_119, -730_120, 2_921_939, 2_921_940),
        fc.integer({ min: -800_000, max: 3_000_000 }),
      )
      .map((n) => {
        const days = n + 10_957;
        const fits = days >= -719_162 && days <= 2_932_896;
        return { field: int32Field(n), plain: fits ? swapped(int32Field(days)) : null };
      }),
  },
  ...(['timestamp', 'timestamptz'] as const).map(
    (wire): Form => ({
      ...{ name: wire, wire, lake: { kind: 'timestamp', utc: wire === 'timestamptz' } },
      value: fc
        .oneof(
          int64,
          fc.bigInt(-800_000n * DAY, 3_000_000n * DAY),
          fc
            .constantFrom(-1n, 0n, 1n)
            .chain((by) => fc.constantFrom(-730_119n * DAY + by, 2_921_940n * DAY + by, by, -10_957n * DAY + by)),
          fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n)),
        )
        .map((n) => {
          const micros = n + 10_957n * DAY;
          const fits = micros >= -719_162n * DAY && micros < 2_932_897n * DAY;
          return { field: int64Field(n), plain: fits ? long(micros) : null };
        }),
    }),
  ),
  {
    ...{ name: 'time', wire: 'time', lake: { kind: 'string' } },
    value: fc.oneof(fc.constantFrom(DAY, 0n, DAY - 1n), fc.bigInt(0n, DAY)).map((n) => {
      const clock = n === DAY ? '24:00:00.000' : new Date(Number(n / 1000n)).toISOString().slice(11, 23);
      return { field: int64Field(n), plain: plainText(`${clock}${String(n % 1000n).padStart(3, '0')}`) };
    }),
  },
  {
    ...{ name: 'uuid', wire: 'uuid', lake: { kind: 'string' } },
    value: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => ({
      field: Buffer.from(b),
      plain: plainText(
        Buffer.from(b)
          .toString('hex')
          .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      ),
    })),
  },
  {
    ...{ name: 'bytea', wire: 'bytea', lake: { kind: 'binary' } },
    value: bytes.map((b) => ({ field: b, plain: plainBytes(b) })),
  },
  {
    ...{ name: 'text', wire: 'text', lake: { kind: 'string' } },
    value: text.map((t) => ({ field: Buffer.from(t), plain: plainText(t) })),
  },
  {
    ...{ name: 'jsonb', wire: 'jsonb', lake: { kind: 'string' } },
    value: text.map((t) => ({ field: Buffer.from(`\x01${t}`), plain: plainText(t) })),
  },
  {
    ...{ name: 'text that nobody has checked', wire: 'text', lake: { kind: 'string' }, trustText: false },
    value: fc
      .oneof(
        bytes,
        text.map((t) => Buffer.from(t)),
      )
      .map((b) => {
        const sound = Buffer.from(b.toString('utf8')).equals(b);
        return { field: b, plain: sound ? plainBytes(b) : null };
      }),
  },
  {
    ...{ name: 'JSON that may be marked', wire: 'marked-json', lake: { kind: 'string' } },
    value: fc
      .tuple(
        fc.boolean(),
        text.filter((t) => !t.startsWith('!')),
      )
      .map(([marked, t]) => ({
        field: Buffer.from((marked ? '!' : '') + t),
        plain: marked ? null : plainText(t),
      })),
  },
];

type Rows = ({ field: Buffer; plain: Buffer | null } | null)[];

function expectGroup(data: ColumnData, rows: Rows): void {
  const present = rows.flatMap((row) => (row?.plain ? [row.plain] : []));
  expect(data.values.equals(Buffer.concat(present))).toBe(true);
  expect(data.count).toBe(present.length);
  expect(data.validity ? [...data.validity] : rows.map(() => 1)).toEqual(rows.map((row) => (row?.plain ? 1 : 0)));
}

describe.each(FORMS)('$name', ({ wire, lake, trustText = true, value }) => {
  test('any values, NULLs in between, in any batches and groups, the buffers used again', () => {
    // A group is a list of batches; a batch is a list of rows.
    const row = fc.option(value, { freq: 4 });
    const groups = fc.array(fc.array(fc.array(row, { maxLength: 20 }), { maxLength: 6 }), { maxLength: 4 });
    fc.assert(
      fc.property(groups, (given) => {
        const unfit: number[] = [];
        const builder = makeBuilder(wire, lake, trustText, (index) => unfit.push(index));
        for (const batches of given) {
          for (const rows of batches) {
            unfit.length = 0;
            // The column is not the first of the batch: its offsets begin in the middle.
            const { bytes, view, at } = batchOf([null, null, ...rows.map((r) => r?.field ?? null)]);
            builder.append(bytes, view, at, 2, rows.length);
            bytes.fill(0xee);
            expect(unfit).toEqual(rows.flatMap((r, i) => (r && r.plain === null ? [i] : [])));
          }
          const data = builder.take();
          expectGroup(data, batches.flat());
          builder.recycle(data);
        }
      }),
    );
  });

  test('a policy that stops stops at the first value without a place', () => {
    const builder = makeBuilder(wire, lake, trustText, (index) => {
      throw new Error(`row ${index}`);
    });
    const samples = fc.sample(value, { numRuns: 200, seed: 1 });
    const first = samples.findIndex(({ plain }) => plain === null);
    const { bytes, view, at } = batchOf(samples.map(({ field }) => field));
    const append = () => builder.append(bytes, view, at, 0, samples.length);
    if (first < 0) append();
    else expect(append).toThrow(`row ${first}`);
  });
});

describe('lists', () => {
  /** array_send of one dimension; the element's OID is not looked at. */
  function arrayField(elements: (Buffer | null)[], lower = 1): Buffer {
    const head = elements.length === 0 ? [0, 0, 23] : [1, 0, 23, elements.length, lower];
    const parts = head.map(int32Field);
    for (const element of elements)
      parts.push(int32Field(element === null ? -1 : element.length), element ?? Buffer.alloc(0));
    return Buffer.concat(parts);
  }

  const LIST: { wire: Wire; element: LakeType & { kind: 'date' | 'string' }; form: string }[] = [
    { wire: 'date', element: { kind: 'date' }, form: 'date' },
    { wire: 'text', element: { kind: 'string' }, form: 'text' },
  ];

  test.each(LIST)('of $wire: a list is taken whole or not at all', ({ wire, element, form }) => {
    const { value } = FORMS.find(({ name }) => name === form)!;
    const list = fc.record({
      elements: fc.array(fc.option(value, { freq: 5 }), { maxLength: 80 }),
      lower: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.constant(0)),
    });
    fc.assert(
      fc.property(fc.array(fc.array(fc.option(list), { maxLength: 12 }), { maxLength: 4 }), (batches) => {
        const unfit: number[] = [];
        const builder = makeBuilder({ array: wire }, { kind: 'array', element }, true, (row) => unfit.push(row));
        const [repetition, definition, plain]: [number[], number[], Buffer[]] = [[], [], []];
        for (const lists of batches) {
          unfit.length = 0;
          const expected: number[] = [];
          for (const [i, given] of lists.entries()) {
            const odd =
              given?.elements.some((e) => e?.plain === null) ||
              (given?.lower !== 1 && given && given.elements.length > 0);
            if (odd) expected.push(i);
            if (!given || odd) {
              repetition.push(0);
              definition.push(0);
            } else if (given.elements.length === 0) {
              repetition.push(0);
              definition.push(1);
            } else {
              for (const [k, e] of given.elements.entries()) {
                repetition.push(k === 0 ? 0 : 1);
                definition.push(e ? 3 : 2);
                if (e) plain.push(e.plain!);
              }
            }
          }
          const fields = lists.map(
            (l) =>
              l &&
              arrayField(
                l.elements.map((e) => e?.field ?? null),
                l.lower,
              ),
          );
          const { bytes, view, at } = batchOf(fields);
          builder.append(bytes, view, at, 0, lists.length);
          expect(unfit).toEqual(expected);
        }
        const data = builder.take();
        expect(data.values.equals(Buffer.concat(plain))).toBe(true);
        expect(data.count).toBe(plain.length);
        expect([...data.levels!.repetition]).toEqual(repetition);
        expect([...data.levels!.definition]).toEqual(definition);
        expect(data.levels!.slots).toBe(definition.length);
      }),
    );
  });
});
