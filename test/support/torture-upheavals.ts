/**
 * What administrators do to tables while writers write and exports run. Invariant: rows that come back under an old cursor
 * value do so in the transaction that a run can notice (another oid, another relfilenode); any other way would be a
 * cursor set by hand into the past, which is not promised.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { REGIONS, seeded, TORTURE_TABLES } from './torture-writers.ts';

/** Row versions that may be in raw/ more than once: their partition was attached again, or their table rewritten under new ids. */
export const REPEATABLE = 'aside.repeatable';

/** An old cursor value: only the table's identity can tell that these rows are new. */
const OLD: Record<string, string> = {
  zoned: `now() - interval '3 days'`,
  wall: `localtimestamp - interval '3 days'`,
  day: 'current_date - 9',
  triggered: `now() - interval '3 days'`,
  parted: `now() - interval '3 days'`,
  large: `now() - interval '3 days'`,
};

const PLAIN = TORTURE_TABLES.map(({ name }) => name).filter((name) => name !== 'parted');
const NEW_ROWS: Record<string, number> = { large: 9_000 };

type Hand = { client: pg.Client; random: () => number };

/** Shapes that a table is made anew from. Call it before the writers begin. */
export async function prepareUpheavals(client: pg.ClientBase): Promise<void> {
  await client.query(`create schema aside; create table ${REPEATABLE} (version int)`);
  for (const { name } of TORTURE_TABLES) {
    await client.query(`create table aside.shape_${name} (like ${name} including all)`);
  }
}

/** One after another of these until `stop` is aborted; at the end every partition is attached. How often each was done. */
export async function upheavals(
  url: string,
  seed: number,
  kinds: string[],
  stop: AbortSignal,
): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const done: Record<string, number> = {};
  const random = seeded(seed);
  // Who waits for an exclusive lock holds everybody up.
  await client.query(`set lock_timeout = '1s'; set deadlock_timeout = '200ms'`);
  try {
    while (!stop.aborted) {
      const name = one(random, kinds);
      try {
        await UPHEAVALS[name]({ client, random });
        done[name] = (done[name] ?? 0) + 1;
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        await client.query('rollback');
      }
      await sleep(random() * 600);
    }
    await client.query('reset lock_timeout');
    for (let region = 0; region < REGIONS; region++) await attachAgain(client, region);
  } finally {
    await client.end();
  }
  return done;
}

export const UPHEAVALS: Record<string, (hand: Hand) => Promise<void>> = {
  truncate,
  recreate,
  swap,
  'vacuum full': vacuumFull,
  cluster,
  rewrite,
  'detach and attach': detachAndAttach,
  'new partition': newPartition,
};

const one = <T>(random: () => number, all: T[]): T => all[Math.floor(random() * all.length)];

/** New rows under old cursor values. */
function refill(table: string, name: string, more: Record<string, string> = {}): string {
  const old = OLD[name];
  const columns = ['id', ...(old ? ['updated_at'] : []), ...Object.keys(more)];
  const values = ['i', ...(old ? [old] : []), ...Object.values(more)];
  return `insert into ${table} (${columns}) select ${values} from generate_series(1, ${NEW_ROWS[name] ?? 200}) i`;
}

const trigger = (table: string) =>
  `create trigger touch before insert or update on ${table} for each row execute function touch()`;

async function truncate({ client, random }: Hand): Promise<void> {
  const name = one(random, [...PLAIN, 'parted']);
  const more = name === 'parted' ? { region: `i % ${REGIONS}` } : undefined;
  await client.query(`begin; truncate ${name}`);
  // A trigger would date the rows of today.
  if (name === 'triggered') await client.query('alter table triggered disable trigger touch');
  await client.query(refill(name, name, more));
  if (name === 'triggered') await client.query('alter table triggered enable trigger touch');
  await client.query('commit');
}

async function recreate({ client, random }: Hand): Promise<void> {
  const name = one(random, PLAIN);
  await client.query(`begin; drop table ${name}; create table ${name} (like aside.shape_${name} including all)`);
  await client.query(refill(name, name));
  if (name === 'triggered') await client.query(trigger(name));
  await client.query('commit');
}

/** The new table is filled first, by a transaction that has been over for long when it takes the old one's name. */
async function swap({ client, random }: Hand): Promise<void> {
  const name = one(random, PLAIN);
  await client.query(`drop table if exists aside.${name}`);
  await client.query(`create table aside.${name} (like aside.shape_${name} including all)`);
  await client.query(refill(`aside.${name}`, name));
  if (name === 'triggered') await client.query(trigger('aside.triggered'));
  await sleep(random() * 1_500);
  await client.query(`begin; drop table public.${name}; alter table aside.${name} set schema public; commit`);
}

/** New files, the same ids: no row may come again, and none be lost. */
async function vacuumFull({ client, random }: Hand): Promise<void> {
  await client.query(`vacuum full ${one(random, [...PLAIN, 'parted', `parts.p${Math.floor(random() * REGIONS)}`])}`);
}

async function cluster({ client, random }: Hand): Promise<void> {
  const name = one(random, PLAIN);
  await client.query(`cluster ${name} using ${await primaryKey(client, name)}`);
}

async function primaryKey(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query(
    `select indexrelid::regclass::text as name from pg_index where indrelid = '${name}'::regclass and indisprimary`,
  );
  return rows[0].name;
}

/** Every row gets the id of the ALTER: for Postgres, and so for us, a new version. */
async function rewrite({ client, random }: Hand): Promise<void> {
  const name = one(random, PLAIN);
  await client.query(`begin; lock ${name}; insert into ${REPEATABLE} select version from ${name}`);
  await client.query(`alter table ${name} alter version type int using version + 0; commit`);
}

async function detachAndAttach({ client, random }: Hand): Promise<void> {
  const region = Math.floor(random() * REGIONS);
  await client.query(`alter table parted detach partition parts.p${region}${random() < 0.3 ? ' concurrently' : ''}`);
  await sleep(random() * 1_000);
  // Under the cursor values of now: when no run came while it was detached, nothing else tells that it ever was.
  await client.query(`update parts.p${region} set version = nextval('version'), updated_at = now() where id % 7 = 0`);
  await sleep(random() * 1_000);
  await attachAgain(client, region);
}

async function attachAgain(client: pg.Client, region: number): Promise<void> {
  const { rows } = await client.query(
    `select inhdetachpending as pending from pg_inherits where inhrelid = 'parts.p${region}'::regclass`,
  );
  if (rows.length > 0 && !rows[0].pending) return;
  // DETACH CONCURRENTLY that gave up in the middle.
  if (rows.length > 0) await client.query(`alter table parted detach partition parts.p${region} finalize`);
  await client.query(`begin; lock parts.p${region}; insert into ${REPEATABLE} select version from parts.p${region};
    alter table parted attach partition parts.p${region} for values in (${region}); commit`);
}

/** One that was filled elsewhere, with old rows; the one before it goes. */
async function newPartition({ client, random }: Hand): Promise<void> {
  const region = REGIONS + Math.floor(random() * 2);
  await client.query(`drop table if exists parts.p${region}`);
  await client.query(`create table parts.p${region} (like aside.shape_parted including all)`);
  await client.query(refill(`parts.p${region}`, 'parted', { region: String(region) }));
  await sleep(random() * 1_500);
  await client.query(`alter table parted attach partition parts.p${region} for values in (${region})`);
}
