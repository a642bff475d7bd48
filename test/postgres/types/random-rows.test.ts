import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { readWithHyparquet } from '../../support/parquet-readers.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;

beforeAll(async () => {
  db = await createDatabase();
  exporter = await createExporter(db.url);
});
afterAll(async () => {
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const digits = (most: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: most });
const signed = (text: fc.Arbitrary<string>) => fc.tuple(fc.constantFrom('', '-'), text).map((parts) => parts.join(''));
const numeric = (precision: number, scale: number) =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('NaN', '0', '9'.repeat(precision - scale) || '0') },
    {
      weight: 9,
      arbitrary: signed(
        fc.tuple(digits(Math.max(1, precision - scale)), digits(scale + 2)).map((p) => p.join('.')),
      ).filter((text) => (precision > scale ? !/^-?9+\.9*[5-9]/.test(text) : /^-?0+\.[0-8]/.test(text))),
    },
  );
/** Seconds around the edges and anywhere, as an instant of Postgres's whole range. */
const epoch = fc.oneof(
  fc.bigInt(-210_866_803_200_000_000n, 2n ** 63n - 1n),
  fc
    .constantFrom(-62_135_596_800_000_000n, 253_402_300_800_000_000n, 0n, 946_684_800_000_000n)
    .chain((edge) => fc.bigInt(-3n, 3n).map((by) => edge + by)),
);
/** Microseconds as Postgres 14 takes so many of them too. */
function hours(us: number): string {
  const seconds = Math.trunc(Math.abs(us) / 1e6);
  const parts = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60];
  return `${us < 0 ? '-' : ''}${parts.join(':')}.${String(Math.abs(us) % 1e6).padStart(6, '0')}`;
}
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('', 'often', 'NULL', '\r\n', '🏔'.repeat(500)),
);

type Column = { type: string; value: fc.Arbitrary<string>; sql?: (literal: string) => string; base?: string };
const COLUMNS: Column[] = [
  ...[
    [1, 0],
    [5, 2],
    [9, 9],
    [12, 4],
    [18, 6],
    [19, 0],
    [25, 3],
    [38, 20],
    [38, 38],
    [40, 2],
  ].map(([p, s]) => ({
    type: `numeric(${p},${s})`,
    base: 'numeric',
    value: numeric(p, s),
  })),
  { type: 'numeric', value: signed(fc.tuple(digits(60), digits(60)).map((p) => p.join('.'))) },
  { type: 'bigint', value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String) },
  { type: 'smallint', value: fc.integer({ min: -32_768, max: 32_767 }).map(String) },
  { type: 'float8', value: fc.double().map((n) => (Object.is(n, -0) ? '-0' : String(n))) },
  { type: 'float4', value: fc.float().map((n) => (Object.is(n, -0) ? '-0' : String(n))) },
  ...['timestamptz', 'timestamp', 'date'].map((type) => ({
    type,
    value: epoch.map(String),
    sql: (us: string) =>
      `(timestamptz '1970-01-01+00' + ${us} / 86400000000::bigint * interval '1 day' + ${us} % 86400000000::bigint * interval '1 us')::${type}`,
  })),
  {
    type: 'interval',
    value: fc
      .tuple(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: -9999, max: 9999 }), fc.maxSafeInteger())
      .map(([m, d, us]) => `${m} mons ${d} days ${hours(us)}`),
  },
  { type: 'text', value: text.map((t) => t.replaceAll('\0', '')) },
  { type: 'bytea', value: fc.uint8Array({ maxLength: 100 }).map((b) => `\\x${Buffer.from(b).toString('hex')}`) },
  { type: 'jsonb', value: fc.json({ maxDepth: 2 }).filter((t) => !t.includes('\\u0000')) },
  { type: 'boolean', value: fc.boolean().map(String) },
  { type: 'uuid', value: fc.uuid() },
];

const literal = (value: string) => `'${value.replaceAll("'", "''")}'`;
const row = fc.tuple(...COLUMNS.map(({ value }) => fc.option(value, { freq: 5 })));
let tables = 0;

test('random rows of many types arrive as Postgres prints them, in the lake’s type or beside it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 120, size: 'max' }), async (rows) => {
      const table = `t${++tables}`;
      await db.query("set timezone = 'UTC'");
      await db.query(`create table ${table} (id int primary key, ${COLUMNS.map(({ type }, i) => `c${i} ${type}`)})`);
      const values = rows.map((cells, id) => {
        const sql = cells.map((cell, i) => {
          const { type, sql: make } = COLUMNS[i];
          return cell === null ? 'null' : make ? make(`(${cell})::bigint`) : `${literal(cell)}::${type}`;
        });
        return `(${id}, ${sql})`;
      });
      await db.query(`insert into ${table} values ${values}`);
      const columns = Object.fromEntries(COLUMNS.map((_, i) => [`c${i}`, { on_unfit: 'text' as const }]));
      const outcome = await exporter.run(table, { settings: { columns } });
      if (outcome.state !== 'committed') throw new Error('nothing was exported');
      const read = await readWithHyparquet(path.join(exporter.lakeDir, outcome.files[0].key));
      for (const [i, { type, base = type }] of COLUMNS.entries()) {
        const wrong = await db.query(
          `select id, t.c${i}::text as source, x as lake, beside from ${table} t
            full join unnest($1::int[], $2::text[], $3::text[]) as lake(id, x, beside) using (id)
            where coalesce(x, beside)::${base}::text is distinct from t.c${i}::text or num_nonnulls(x, beside) <> num_nonnulls(t.c${i})`,
          [read.id, read[`c${i}`], read[`c${i}__text`]],
        );
        expect([type, wrong]).toEqual([type, []]);
        const beside = read[`c${i}__text`].filter((value) => value !== null).length;
        expect([type, outcome.unfit[`c${i}`]?.text ?? 0]).toEqual([type, beside]);
      }
    }),
    { numRuns: 8 },
  );
});
