/** Writers that do to tables what applications do, and worse. Invariant: each row version has a number that no other has. */

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * `cursor`: what stands for the row's time; null: the table has no such column, or a trigger sets it. `key`: what tells rows
 * apart. `shared`: rows that every writer changes.
 */
export type TortureTable = { name: string; cursor: string | null; key: string[]; shared: number };

export const TORTURE_TABLES: TortureTable[] = [
  { name: 'zoned', cursor: 'now()', key: ['id'], shared: 400 },
  { name: 'wall', cursor: 'localtimestamp', key: ['id'], shared: 400 },
  { name: 'day', cursor: 'current_date', key: ['id'], shared: 400 },
  { name: 'bare', cursor: null, key: ['id'], shared: 400 },
  { name: 'triggered', cursor: null, key: ['id'], shared: 400 },
  { name: 'parted', cursor: 'now()', key: ['id', 'region'], shared: 400 },
  // Some megabytes: several chunks of the least size.
  { name: 'large', cursor: 'now()', key: ['id'], shared: 12_000 },
];

/** Partitions of `parted` by region, from the beginning on. */
export const REGIONS = 4;

const SCHEMA = `
  create schema parts;
  create sequence version;
  create table zoned (id int primary key, version int not null default nextval('version'), updated_at timestamptz);
  create table wall (id int primary key, version int not null default nextval('version'), updated_at timestamp(3));
  create table day (id int primary key, version int not null default nextval('version'), updated_at date);
  create table bare (id int primary key, version int not null default nextval('version'));
  create table triggered (id int primary key, version int not null default nextval('version'), updated_at timestamptz(0) not null);
  create table large (id int primary key, version int not null default nextval('version'), updated_at timestamptz,
    pad text default repeat(md5(random()::text), 20));
  create table parted (id int, version int not null default nextval('version'), updated_at timestamptz,
    region int not null, primary key (id, region)) partition by list (region);
  create function touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
  create trigger touch before insert or update on triggered for each row execute function touch();
  create index on zoned (updated_at);
  create index on wall (updated_at);
  create index on day (updated_at);
  create index on triggered (updated_at);
  create index on parted (updated_at);
  create index on large (updated_at);
  create sequence fresh start 1000000`;

export async function createTortureTables(client: pg.ClientBase): Promise<void> {
  await client.query(SCHEMA);
  for (let region = 0; region < REGIONS; region++) {
    await client.query(`create table parts.p${region} partition of parted for values in (${region})`);
  }
  for (const { name, cursor, shared } of TORTURE_TABLES) {
    const [columns, values] = [['id'], ['i']];
    if (cursor) [columns.push('updated_at'), values.push(cursor)];
    if (name === 'parted') [columns.push('region'), values.push(`i % ${REGIONS}`)];
    await client.query(`insert into ${name} (${columns}) select ${values} from generate_series(1, ${shared}) i`);
  }
}

/** mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes until `stop` is aborted; what it had open by then is committed. Errors of Postgres (deadlocks) end a transaction, no more. */
export async function write(url: string, seed: number, stop: AbortSignal): Promise<void> {
  const random = seeded(seed);
  // Behind UTC, with a zone of its own: the wall clock that it writes is hours before ours.
  const timezone = ['UTC', 'America/New_York', 'Pacific/Auckland'][seed % 3];
  const client = new pg.Client({ connectionString: url, options: `-c timezone=${timezone}` });
  client.on('error', () => {});
  await client.connect();
  try {
    while (!stop.aborted) {
      await transaction(client, random, `p${seed}`).catch((error) => {
        if (!(error instanceof pg.DatabaseError)) throw error;
        return client.query('rollback');
      });
    }
  } finally {
    await client.end();
  }
}

async function transaction(client: pg.Client, random: () => number, name: string): Promise<void> {
  const chance = random();
  const pause = (most: number) => sleep(random() * most);
  const some = (most: number) => Array.from({ length: 1 + Math.floor(random() * most) }, () => statement(random));
  if (chance < 0.35) {
    await client.query(statement(random));
    return pause(30);
  }
  if (chance < 0.5) {
    // One message, several transactions, one now().
    const parts = Array.from(
      { length: 3 },
      () => `begin; ${statement(random)}; commit; select pg_sleep(${random() * 0.1})`,
    );
    await client.query(parts.join(';'));
    return pause(30);
  }
  // Begun long before it writes.
  await client.query('begin');
  const long = chance > 0.94;
  if (long) {
    await client.query(statement(random, true));
    await pause(3_000);
  }
  for (const text of some(4)) {
    const savepoint = random() < 0.5;
    if (savepoint) await client.query('savepoint s');
    await client.query(text);
    if (savepoint) await client.query(random() < 0.3 ? 'rollback to s' : 'release s');
    await pause(random() < 0.1 ? 300 : 5);
  }
  if (chance < 0.58) {
    await client.query(`prepare transaction '${name}'`);
    await pause(400);
    await client.query(`${random() < 0.8 ? 'commit' : 'rollback'} prepared '${name}'`);
  } else await client.query(random() < 0.12 ? 'rollback' : 'commit');
}

function statement(random: () => number, fresh = random() < 0.1): string {
  const { name, cursor, key, shared } = TORTURE_TABLES[Math.floor(random() * TORTURE_TABLES.length)];
  const id = fresh ? `nextval('fresh')` : String(1 + Math.floor(random() * shared));
  // A NULL is a cursor value too, where the column takes one.
  const now = random() < 0.03 ? 'null' : cursor;
  const region = Math.floor(random() * REGIONS);
  // From one partition to another, for Postgres a DELETE and an INSERT.
  if (name === 'parted' && !fresh && random() < 0.3)
    return `update parted set region = ${region}, version = nextval('version'), updated_at = ${now} where id = ${id}`;
  const columns = ['id', ...(cursor ? ['version', 'updated_at'] : []), ...(name === 'parted' ? ['region'] : [])];
  const values = [id, ...(cursor ? [`nextval('version')`, now] : []), ...(name === 'parted' ? [region] : [])];
  const insert = `insert into ${name} (${columns}) values (${values.join(', ')})`;
  if (fresh) return insert;
  if (random() < 0.1) return `delete from ${name} where id = ${id}`;
  const set = cursor ? 'version = excluded.version, updated_at = excluded.updated_at' : 'version = excluded.version';
  return `${insert} on conflict (${key}) do update set ${set}`;
}
