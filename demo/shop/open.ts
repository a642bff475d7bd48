/** Fills an empty database with the shop. */

import type pg from 'pg';
import { shopRows } from './data.ts';
import { INDEXES, SCHEMA } from './schema.ts';

const ROWS_AT_ONCE = 5_000;

/** Creates the tables and their rows, in one transaction; returns how many rows there are. */
export async function openShop(client: pg.Client, now: number): Promise<number> {
  let count = 0;
  await client.query('begin');
  await client.query(SCHEMA);
  for (const [table, rows] of shopRows(now)) {
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      const some = JSON.stringify(rows.slice(at, at + ROWS_AT_ONCE));
      await client.query(`insert into ${table} select * from json_populate_recordset(null::${table}, $1)`, [some]);
    }
    count += rows.length;
  }
  await client.query(INDEXES);
  await client.query('commit');
  await client.query('vacuum (analyze)');
  return count;
}
