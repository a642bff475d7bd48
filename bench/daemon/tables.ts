/** Tables for a daemon to look after. */

import type pg from 'pg';

/** `<prefix>_0`, `<prefix>_1` …, each with so many rows, a key and an index on its cursor. */
export async function createTables(client: pg.Client, prefix: string, tables: number, rows: number): Promise<void> {
  for (let i = 0; i < tables; i++) {
    const name = `${prefix}_${i}`;
    await client.query(`create table ${name} (id bigint primary key, note text, updated_at timestamptz not null default now());
      insert into ${name} select i, 'row ' || i from generate_series(1, ${rows}) i; create index on ${name} (updated_at)`);
  }
}
