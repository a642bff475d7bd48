/** TPC-H-like tables of the benchmark's own generator: the same rows every time. */

import type pg from 'pg';

/** lineitem: 18 columns, a bigint key, 16 of TPC-H's, updated_at. About 4 lines an order, sorted by key. */
export async function createLineitem(client: pg.Client, table: string, rows: number): Promise<void> {
  await client.query(`create table ${table} (
    l_id bigint not null, l_orderkey bigint not null, l_partkey bigint not null, l_suppkey bigint not null,
    l_linenumber int not null, l_quantity numeric(15,2) not null, l_extendedprice numeric(15,2) not null,
    l_discount numeric(15,2) not null, l_tax numeric(15,2) not null, l_returnflag char(1) not null,
    l_linestatus char(1) not null, l_shipdate date not null, l_commitdate date not null, l_receiptdate date not null,
    l_shipinstruct char(25) not null, l_shipmode char(10) not null, l_comment varchar(44) not null,
    updated_at timestamptz not null)`);
  // Every value follows from the row's number: no seed to lose, no two machines with other rows.
  await client.query(`insert into ${table}
    select i, 1 + (i / 4) * 2, 1 + h1 % 200000, 1 + h2 % 10000, 1 + i % 4, q, round(q * (900 + h1 % 100000 / 10.0)::numeric(15,2) / 10, 2),
      (h3 % 11) / 100.0, (h2 % 9) / 100.0, (array['A','N','R'])[1 + h1 % 3], (array['F','O'])[1 + h2 % 2],
      d, d + (h1 % 60)::int - 30, d + 1 + (h2 % 30)::int,
      (array['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN'])[1 + h3 % 4],
      (array['REG AIR','AIR','RAIL','SHIP','TRUCK','MAIL','FOB'])[1 + h1 % 7],
      left(w[1 + h1 % 24] || ' ' || w[1 + h2 % 24] || ' ' || w[1 + h3 % 24] || ' ' || w[1 + (h1 / 24) % 24] || ' ' || w[1 + (h2 / 24) % 24]
        || ' ' || w[1 + (h3 / 24) % 24], 10 + (h2 / 7 % 34)::int),
      timestamptz '2024-01-01' + i * interval '1 second' + (h1 % 1000000) * interval '1 microsecond'
    from (select i, abs(hashint8(i))::bigint h1, abs(hashint8(i + 1000000007))::bigint h2, abs(hashint8(i * 31 + 7))::bigint h3,
        (1 + abs(hashint8(i + 5)) % 50)::numeric(15,2) q, date '1992-01-01' + (abs(hashint8(i / 4 + 99)) % 2500)::int d
      from generate_series(1, ${rows}::bigint) i) r,
      (select string_to_array('furiously quickly carefully blithely ironic final special pending regular express bold even silent unusual deposits requests accounts packages instructions theodolites foxes dolphins pinto beans', ' ') w) words
    order by i`);
  await client.query(`alter table ${table} add primary key (l_id)`);
  await client.query(`create index on ${table} (updated_at)`);
  await client.query(`vacuum (analyze, freeze) ${table}`);
}
