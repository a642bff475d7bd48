import { describe, expect, test } from 'vitest';
import { type ChangedRows, copyChangedRows, selectChangedRows } from '../../../src/postgres/changed-rows.ts';

const cursor = { column: 'updated_at', type: 'timestamptz', notNull: true, timezone: null } as const;
const query = (more: Partial<ChangedRows> = {}): ChangedRows => ({
  table: { schema: 'public', table: 'invoice' },
  columns: [{ name: 'id', selection: 'plain' }],
  ...{ since: null, xmax: 5_000_000_000n, cursor: null, where: null, start: null },
  ...more,
});
const since = { xmin: 4_999_999_990n, seen: [], floor: 1_700_000_000_123_456n };
const where = (more: Partial<ChangedRows>) => selectChangedRows(query(more)).split(' where ')[1];
const ID = '(5000000000 - ((5000000000 - t.xmin::text::int8) & 4294967295))';

test('a first run has no condition; the row’s own id comes last', () => {
  expect(copyChangedRows(query({ cursor }))).toBe(
    'copy (select t."id" as "c0", "t"."xmin" as "x" from "public"."invoice" as "t") to stdout (format binary)',
  );
});

test('a next run: the cursor from the floor, cut down to a whole second; then the id, 64 bits wide', () => {
  expect(where({ since, cursor })).toBe(
    `t."updated_at" >= '2023-11-14 22:13:20+00'::timestamptz and ${ID} >= 4999999990`,
  );
});

test('ids that were exported already are left out', () => {
  const seen = [{ from: 4_999_999_991n, to: 4_999_999_993n }];
  expect(where({ since: { ...since, seen } })).toBe(
    `${ID} >= 4999999990 and not (${ID} <@ '{[4999999991,4999999993)}'::int8multirange)`,
  );
});

test('a nullable cursor keeps the rows without a value; an unknown floor means no prefilter; so does no cursor', () => {
  expect(where({ since, cursor: { ...cursor, notNull: false } })).toContain(
    `(t."updated_at" >= '2023-11-14 22:13:20+00'::timestamptz or t."updated_at" is null) and`,
  );
  expect(where({ since: { ...since, floor: null }, cursor })).toBe(`${ID} >= 4999999990`);
  expect(where({ since })).toBe(`${ID} >= 4999999990`);
});

describe('a cursor without a zone', () => {
  test('of writers who knows where: the clock of UTC-12', () => {
    expect(where({ since, cursor: { ...cursor, type: 'timestamp' } })).toContain(
      `t."updated_at" >= '2023-11-14 10:13:20'::timestamp and`,
    );
    expect(where({ since, cursor: { ...cursor, type: 'date' } })).toContain(
      `t."updated_at" >= ('2023-11-14 10:13:20'::timestamp)::date and`,
    );
  });

  test('of writers in one zone: an hour less than their clock, for autumn', () => {
    expect(where({ since, cursor: { ...cursor, type: 'timestamp', timezone: "Europe/It's" } })).toContain(
      `>= (('2023-11-14 22:13:20+00'::timestamptz at time zone 'Europe/It''s') - interval '1 hour') and`,
    );
  });

  test('before 1970 the floor goes down too, not towards zero', () => {
    const before = { ...since, floor: -1n };
    expect(where({ since: before, cursor })).toContain(`>= '1969-12-31 23:59:59+00'::timestamptz`);
  });
});

test('`start` is for the first run only, `where` for every one', () => {
  const start = '2024-01-01';
  expect(where({ cursor, start })).toBe(`t."updated_at" >= '2024-01-01'::timestamptz`);
  expect(where({ cursor: { ...cursor, notNull: false }, start })).toBe(
    `(t."updated_at" >= '2024-01-01'::timestamptz or t."updated_at" is null)`,
  );
  expect(where({ since, start, where: 'a or b' })).toBe(`${ID} >= 4999999990 and (a or b)`);
  expect(where({ where: 'a or b' })).toBe('(a or b)');
});

test('names are quoted, each part as it is', () => {
  const odd = query({ table: { schema: 'a.b', table: 'c"d' }, columns: [{ name: `e"'.$1`, selection: 'plain' }] });
  expect(selectChangedRows(odd)).toBe(`select t."e""'.$1" as "c0", "t"."xmin" as "x" from "a.b"."c""d" as "t"`);
});

describe('partitions apart', () => {
  const table = { schema: 'public', table: 'p_3' };
  const leaf = { rule: 'all', oid: 33, name: table, constraint: null } as const;
  const branches = (apart: ChangedRows['apart'], more: Partial<ChangedRows> = {}) =>
    selectChangedRows(query({ since, cursor, apart, ...more }))
      .split(' union all ')
      .map((text) => text.slice(text.indexOf(' from ') + 6));
  const FLOOR = `t."updated_at" >= '2023-11-14 22:13:20+00'::timestamptz`;

  test('a new one comes whole, by its own name; the others leave it out', () => {
    expect(branches([leaf])).toEqual([
      `"public"."invoice" as "t" where t.tableoid <> all('{33}'::pg_catalog.oid[]) and ${FLOOR} and ${ID} >= 4999999990`,
      'only "public"."p_3" as "t"',
    ]);
  });

  test('one written anew: by ids, without the cursor', () => {
    expect(branches([{ ...leaf, rule: 'ids' }])[1]).toBe(`only "public"."p_3" as "t" where ${ID} >= 4999999990`);
  });

  test('one that may be read through the table alone: by its constraint, and its oid', () => {
    expect(branches([{ ...leaf, name: null, constraint: 'id >= 3' }], { where: 'id <> 7' })[1]).toBe(
      '"public"."invoice" as "t" where (id >= 3) and t.tableoid = 33 and (id <> 7)',
    );
  });

  test('leaves that are named alone: each by its rule, and no others; of none, no row', () => {
    const only = [
      { ...leaf, rule: 'changed' },
      { ...leaf, oid: 34, name: { ...table, table: 'p_4' } },
    ] as const;
    expect(branches(undefined, { only: [...only] })).toEqual([
      'only "public"."p_4" as "t"',
      `only "public"."p_3" as "t" where ${FLOOR} and ${ID} >= 4999999990`,
    ]);
    expect(branches(undefined, { only: [] })[0]).toContain('where false');
  });

  test('too many for a branch each share one', () => {
    const many = Array.from({ length: 51 }, (_, i) => ({ ...leaf, oid: 100 + i }));
    expect(branches(many)).toHaveLength(2);
    expect(branches(many)[1]).toMatch(/^"public"\."invoice" as "t" where t\.tableoid = any\('\{100,101,/);
  });

  test('of another history no id is asked', () => {
    expect(where({ since: { ...since, xmin: 0n }, cursor })).toBe(FLOOR);
  });
});

test('a counted cursor: from the newest step that the floor has passed; none, and there is no prefilter', () => {
  const counted = { ...cursor, column: 'rev', type: 'bigint' } as const;
  const step = (at: bigint, value: bigint) => ({ at, value, column: 'rev' });
  const trail = [step(since.floor - 2n, 5n), step(since.floor - 1n, 7n), step(since.floor, 9n)];
  expect(where({ since: { ...since, trail }, cursor: counted })).toBe(
    `t."rev" >= '7'::pg_catalog.int8 and ${ID} >= 4999999990`,
  );
  expect(where({ since: { ...since, trail: [] }, cursor: counted })).toBe(`${ID} >= 4999999990`);
});
