/** What changes in lineitem between two compactions. Invariant: the rows follow from the seed, so every run changes the same. */

import type pg from 'pg';

export type Changes = {
  /** Changed rows among the newest 20,000 keys. */
  recent?: number;
  /** Changed rows, spread evenly over all keys. */
  spread?: number;
  /** New rows behind the greatest key. */
  fresh?: number;
};

export type Workload = { name: string; title: string; changes: Changes };

export const RECENT: Workload = {
  name: 'recent',
  title: '1,000 changes among the newest 20,000 keys, 1,000 new rows',
  changes: { recent: 1000, fresh: 1000 },
};

export const WORKLOADS: Workload[] = [
  RECENT,
  { name: 'spread', title: '1,000 changes spread evenly', changes: { spread: 1000 } },
  { name: 'many', title: '200,000 changes spread evenly', changes: { spread: 200_000 } },
];

const NEWEST = 20_000;

/** One transaction. Every row's cursor moves to the clock. */
export async function change(client: pg.Client, { recent, spread, fresh }: Changes, seed: number): Promise<void> {
  const { rows } = await client.query<{ max: string }>('select max(l_id) from lineitem');
  const max = Number(rows[0].max);
  await client.query('begin');
  if (recent) await update(client, { from: max - NEWEST, keys: NEWEST, count: recent }, seed);
  if (spread) await update(client, { from: 0, keys: max, count: spread }, seed);
  if (fresh)
    await client.query(
      `insert into lineitem select l_id + ${max}, l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice,
         l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode,
         l_comment, clock_timestamp()
       from lineitem where l_id between 1 and ${fresh} order by l_id`,
    );
  await client.query('commit');
}

/** `count` of the `keys` keys behind `from`: one at a random place in each of as many equal ranges. */
async function update(client: pg.Client, of: { from: number; keys: number; count: number }, seed: number) {
  const range = Math.floor(of.keys / of.count);
  await client.query(
    `update lineitem set l_quantity = l_quantity + 1, l_comment = 'changed in ' || ${seed}, updated_at = clock_timestamp()
     where l_id in (select ${of.from} + 1 + i * ${range} + abs(hashint8extended(i, ${seed}) % ${range})
       from generate_series(0, ${of.count}::bigint - 1) i)`,
  );
}
