/** The other tables of the benchmark: nullable and text-heavy, wide, and many that stand still. */

import type pg from 'pg';

/** uuid keys, a jsonb of about 1 KB, columns that are often NULL. */
export async function createDocuments(client: pg.Client, table: string, rows: number): Promise<void> {
  await client.query(`create table ${table} (
    id uuid primary key, tenant uuid not null, title text, body jsonb not null, note text, tags text[], score double precision,
    seen_at timestamptz, updated_at timestamptz not null)`);
  await client.query(`insert into ${table}
    select md5(i::text)::uuid, md5((i % 500)::text)::uuid,
      case when i % 3 > 0 then 'document number ' || i end,
      jsonb_build_object('id', i, 'kind', (array['note','invoice','mail','log'])[1 + i % 4], 'author', md5((i % 9973)::text),
        'words', (select jsonb_agg(md5((i * 31 + w)::text)) from generate_series(1, 24) w), 'at', timestamptz '2024-01-01' + i * interval '1 min'),
      case when i % 10 = 0 then repeat(md5(i::text), 1 + (i % 7)::int) end,
      case when i % 5 = 0 then array['a' || i % 7, 'b' || i % 11] end,
      case when i % 2 = 0 then i / 7.0 end, case when i % 4 > 0 then timestamptz '2024-01-01' + i * interval '1 second' end,
      timestamptz '2024-06-01' + i * interval '1 second'
    from generate_series(1, ${rows}::bigint) i`);
  await client.query(`vacuum (analyze, freeze) ${table}`);
}

/** 200 columns of the usual types, a fifth of them NULL. */
export async function createWide(client: pg.Client, table: string, rows: number): Promise<void> {
  const kinds: [string, (n: number) => string][] = [
    ['bigint', (n) => `i * ${n}`],
    ['integer', (n) => `(i % ${n + 10})::int`],
    ['numeric(12,2)', (n) => `(i % 100000) / ${n + 1}.0`],
    ['text', (n) => `'value ' || (i * ${n} % 5000)`],
    ['timestamptz', (n) => `timestamptz '2024-01-01' + i * interval '${n + 1} second'`],
    ['boolean', (n) => `i % ${n + 2} = 0`],
    ['double precision', (n) => `i / ${n + 1}.0`],
    ['date', (n) => `date '2020-01-01' + (i % ${n + 100})::int`],
  ];
  const columns = Array.from({ length: 198 }, (_, n) => ({
    name: `c${n}`,
    type: kinds[n % kinds.length][0],
    value: kinds[n % kinds.length][1](n),
  }));
  await client.query(
    `create table ${table} (id bigint primary key, ${columns.map((c) => `${c.name} ${c.type}`).join(', ')}, updated_at timestamptz not null)`,
  );
  await client.query(`insert into ${table} select i, ${columns.map((c, n) => (n % 5 === 0 ? `case when i % 3 > 0 then ${c.value} end` : c.value)).join(', ')}, timestamptz '2024-06-01' + i * interval '1 second'
    from generate_series(1, ${rows}::bigint) i`);
  await client.query(`vacuum (analyze, freeze) ${table}`);
}

export async function createIdle(client: pg.Client, tables: number): Promise<void> {
  await client.query(`do $$ begin for i in 1..${tables} loop
    execute format('create table t%s (id bigint primary key, a int, b text, c numeric(10,2), d date, e jsonb, updated_at timestamptz not null default now())', i);
    execute format('create index on t%s (updated_at)', i);
    execute format('insert into t%s select g, g, ''x'', 1, now(), ''{}'' from generate_series(1, 100) g', i);
  end loop; end $$`);
}
