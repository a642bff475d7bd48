import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Wire } from '../../../src/model/column-type.ts';
import { connect, disconnect } from '../../../src/postgres/connect.ts';
import { copyOut } from '../../../src/postgres/copy-out.ts';
import { fieldText } from '../../../src/postgres/field-text.ts';
import { decimalText, instantText, parseInstant } from '../../../src/postgres/render.ts';
import { TupleBatches } from '../../../src/postgres/tuple-batch.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

const forever = new AbortController().signal;
let db: TestDatabase;
let client: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  db = await createDatabase();
  client = await connect({ role: 'source', url: db.url, env: {} }, forever);
  await client.query(
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 1; set bytea_output = 'hex'",
  );
});
afterAll(async () => {
  await disconnect(client);
  await db[Symbol.asyncDispose]();
});

/** The values as fieldText renders their binary form, beside Postgres's own text of them. */
async function rendered(type: string, wire: Wire, values: string[]): Promise<[ours: string | null, theirs: string][]> {
  const pairs: [string | null, string][] = [];
  const tuples = new TupleBatches(2, {
    room: () => 504,
    batch(bytes, view, at, stride, rows) {
      for (let i = 0; i < rows; i++) {
        const theirs = fieldText('text', bytes, view, at[stride + i])!;
        pairs.push([fieldText(wire, bytes, view, at[i]), theirs]);
      }
    },
  });
  const literals = values.map((value) => `('${value.replaceAll("'", "''")}'::${type})`).join(',');
  const query = `copy (select v, format('%s', v) from (values ${literals}) as given(v)) to stdout (format binary)`;
  await copyOut(client, query, tuples, () => {}, forever);
  expect(tuples.complete).toBe(true);
  expect(pairs).toHaveLength(values.length);
  return pairs;
}

const bits = (low: bigint, high: bigint) => fc.bigInt(low, high);
const float = (kind: 4 | 8) =>
  fc.uint8Array({ minLength: kind, maxLength: kind }).map((bytes) => {
    const value = kind === 4 ? Buffer.from(bytes).readFloatBE() : Buffer.from(bytes).readDoubleBE();
    return value === Number.POSITIVE_INFINITY ? 'Infinity' : Object.is(value, -0) ? '-0' : String(value);
  });
const roundFloat = fc
  .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: -20, max: 20 }))
  .map(([d, e]) => `${d}e${e}`);
const pad = (n: number, width: number) => String(n).padStart(width, '0');
const day = fc
  .integer({ min: 1, max: 28 })
  .chain((d) => fc.integer({ min: 1, max: 12 }).map((m) => `${pad(m, 2)}-${pad(d, 2)}`));
const date = fc.oneof(
  fc.constantFrom('infinity', '-infinity', '2000-02-29', '5874897-12-31', '4714-11-24 BC'),
  fc.tuple(fc.integer({ min: 1, max: 12_000 }), day).map(([year, rest]) => `${pad(year, 4)}-${rest}`),
  fc.tuple(fc.integer({ min: 1, max: 4713 }), day).map(([year, rest]) => `${pad(year, 4)}-${rest} BC`),
);
const clock = fc.bigInt(0n, 86_399_999_999n).map((us) => {
  const text = new Date(Number(us / 1000n)).toISOString().slice(11, 23);
  return text + pad(Number(us % 1000n), 3);
});
const instant = fc
  .tuple(date, clock)
  .map(([d, t]) =>
    d.includes('infinity')
      ? d
      : d.startsWith('5874897') || d.startsWith('4714')
        ? '2000-01-01'
        : d.replace(/( BC)?$/, ` ${t}$1`),
  );
const zone = fc
  .tuple(fc.constantFrom('+', '-'), fc.nat(15), fc.nat(59), fc.nat(59))
  .map(([sign, h, m, s]) => `${sign}${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}`);
const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 60 });
const numeric = fc.oneof(
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e-16383', '-1e1000', '0.000'),
  fc
    .tuple(fc.constantFrom('', '-'), digits, fc.option(digits))
    .map(([sign, whole, fraction]) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}`),
);
const element = fc.oneof(
  fc.constantFrom('NULL', '', 'null', ' ', '"', '\\', '{', 'a,b', '\u00a0', '\u2028', '\v'),
  fc.string({ maxLength: 5 }).map((t) => t.replaceAll('\0', '')),
);
const quoted = (text: string) => `"${text.replaceAll(/(["\\])/g, '\\$1')}"`;
const textArray = fc.array(element, { minLength: 1, maxLength: 5 }).chain((row) =>
  fc.tuple(fc.integer({ min: -2, max: 2 }), fc.boolean()).map(([lower, nested]) => {
    const inner = `{${row.map((e, i) => (i === 3 ? 'NULL' : quoted(e))).join(',')}}`;
    const bounds = `[${lower}:${lower + (nested ? 1 : row.length - 1)}]${nested ? `[1:${row.length}]` : ''}`;
    return `${bounds}=${nested ? `{${inner},${inner}}` : inner}`;
  }),
);

test.each<[string, Wire, fc.Arbitrary<string>]>([
  ['bool', 'bool', fc.boolean().map(String)],
  ['int2', 'int2', fc.integer({ min: -32_768, max: 32_767 }).map(String)],
  ['int4', 'int4', fc.integer().map(String)],
  ['int8', 'int8', bits(-(2n ** 63n), 2n ** 63n - 1n).map(String)],
  ['oid', 'uint4', bits(0n, 2n ** 32n - 1n).map(String)],
  ['numeric', 'numeric', numeric],
  ['date', 'date', date],
  ['timestamp', 'timestamp', instant],
  ['timestamptz', 'timestamptz', instant],
  ['time', 'time', fc.oneof(clock, fc.constant('24:00:00'))],
  ['timetz', 'timetz', fc.tuple(clock, zone).map((parts) => parts.join(''))],
  ['uuid', 'uuid', fc.uuid()],
  ['bytea', 'bytea', fc.uint8Array({ maxLength: 20 }).map((b) => `\\x${Buffer.from(b).toString('hex')}`)],
  ['text', 'text', fc.string().map((t) => t.replaceAll('\0', ''))],
  ['jsonb', 'jsonb', fc.json().filter((t) => !t.includes('\\u0000'))],
  ['text[]', { array: 'text' }, textArray],
  [
    'float4[]',
    { array: 'float4' },
    fc.array(fc.integer({ min: -99_999, max: 99_999 }), { minLength: 1 }).map((n) => `{${n.map((x) => x / 1000)}}`),
  ],
  [
    'timestamptz[]',
    { array: 'timestamptz' },
    fc.array(instant, { maxLength: 4 }).map((all) => `{${all.map(quoted).join(',')}}`),
  ],
])('%s prints as Postgres prints it', async (type, wire, value) => {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 40 }), async (values) => {
      for (const [ours, theirs] of await rendered(type, wire, values)) expect(ours).toBe(theirs);
    }),
    { numRuns: 25 },
  );
});

test.each([4, 8] as const)(
  'a float%i reads back as the same one, and prints as Postgres prints all but a few',
  async (size) => {
    const type = `float${size}` as const;
    const same = (text: string) => (size === 4 ? Math.fround(Number(text)) : Number(text));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(float(size), roundFloat), { minLength: 1, maxLength: 100 }),
        async (values) => {
          for (const [ours, theirs] of await rendered(type, type, values)) {
            expect(Object.is(same(ours!), same(theirs))).toBe(true);
            // A text that lies just between two floats is the nearest one's by the rule for ties: Postgres spends a digit more there.
            if (ours !== theirs) expect([ours, ours!.length <= theirs.length]).toEqual([ours, true]);
          }
        },
      ),
      { numRuns: 25 },
    );
  },
);

test.each([
  ['0', '0'],
  ['-0', '-0'],
  ['100000', '100000'],
  ['1000000', '1e+06'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['123456.7', '123456.7'],
  ['1e-45', '1e-45'],
  ['-3.4028235e38', '-3.4028235e+38'],
])('float4 %s is %s', async (value, text) => {
  expect(await rendered('float4', 'float4', [value])).toEqual([[text, text]]);
});

test.each([
  ['100000000000000', '100000000000000'],
  ['1000000000000000', '1e+15'],
  ['123456789012345.6', '123456789012345.6'],
  ['0.0001', '0.0001'],
  ['0.00001234', '1.234e-05'],
  ['5e-324', '5e-324'],
  ['-1.7976931348623157e308', '-1.7976931348623157e+308'],
])('float8 %s is %s', async (value, text) => {
  expect(await rendered('float8', 'float8', [value])).toEqual([[text, text]]);
});

test('an instant that is printed is read back', () => {
  fc.assert(
    fc.property(fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n), fc.boolean(), (micros, utc) => {
      expect(parseInstant(instantText(micros, utc))).toBe(micros);
    }),
  );
  expect(parseInstant('2024-02-29')).toBe(1_709_164_800_000_000n);
  expect(() => parseInstant('infinity')).toThrow('not an instant');
});

test('a scaled integer prints as Postgres prints the numeric', async () => {
  await fc.assert(
    fc.asyncProperty(fc.bigInt(-(10n ** 38n), 10n ** 38n), fc.nat(38), async (unscaled, scale) => {
      const { rows } = await client.query(`select '${unscaled}e-${scale}'::numeric::text as text`);
      expect(decimalText(unscaled, scale)).toBe(rows[0].text);
    }),
    { numRuns: 50 },
  );
});
