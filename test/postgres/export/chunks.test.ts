/** Large tables in chunks while others write: the run and the next one bring every version once, whatever happens between chunks. */

import { randomInt } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TableSettings } from '../../../src/model/table.ts';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;

beforeAll(async () => {
  db = await createDatabase();
  await db.query('create sequence version');
  exporter = await createExporter(db.url, { connections: 1 });
});

afterAll(async () => {
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const ROWS = 400;
const COLUMNS = `id int not null, version int not null default nextval('version'), pad text not null default repeat('x', 700),
  updated_at timestamptz not null default clock_timestamp()`;
/** Ten rows are a block; some six chunks. */
const settings: Partial<TableSettings> = { chunkBytes: 64 << 10, marginMs: 100 };
let tables = 0;

async function newTable(options = ''): Promise<string> {
  const table = `t${++tables}`;
  await db.query(`create table ${table} (${COLUMNS}, primary key (id)) ${options}`);
  await db.query(`create index on ${table} (updated_at)`);
  if (options === '') await db.query(`insert into ${table} select generate_series(1, ${ROWS})`);
  return table;
}

async function partitioned(): Promise<string> {
  const table = await newTable('partition by range (id)');
  await db.query(`create table ${table}_a partition of ${table} for values from (0) to (301)`);
  await db.query(`create table ${table}_b partition of ${table} for values from (301) to (1000)`);
  await db.query(`insert into ${table} select generate_series(1, ${ROWS})`);
  return table;
}

async function another(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  return client;
}

const versions = async (table: string) =>
  // As text once it is a bigint.
  (await db.query<{ v: number | string }>(`select version as v from ${table} order by 1`)).map(({ v }) => Number(v));
const found = async (table: string) =>
  (await exporter.rows(table)).map((row) => Number(row.version)).sort((a, b) => a - b);

/** A full run that calls `meanwhile` after each of its chunks, with how many are noted. */
async function inChunks(
  table: string,
  meanwhile: (done: number) => Promise<unknown>,
  some: Partial<TableSettings> = {},
) {
  let done = 0;
  const steps: string[] = [];
  const outcome = await exporter.run(table, {
    settings: { ...settings, ...some },
    step: async (name) => {
      steps.push(name);
      if (name === 'chunk-noted') await meanwhile(++done);
    },
  });
  expect(done).toBeGreaterThan(3);
  return { outcome, steps, done };
}

/** After the next run every present version is there, none twice; `gone`: versions that may be there besides. */
async function isComplete(table: string): Promise<number[]> {
  await exporter.run(table, { settings });
  const all = await found(table);
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(expect.arrayContaining(await versions(table)));
  expect(await exporter.run(table, { settings })).toMatchObject({ state: 'nothing' });
  return all;
}

test('each range of blocks is read once, by a TID range scan, in all partitions at once', async () => {
  const table = await partitioned();
  const { outcome } = await inChunks(table, async () => {});
  expect(outcome).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
  expect(await found(table)).toEqual(await versions(table));
  const plan = await db.query<{ 'QUERY PLAN': string }>(
    `explain select * from ${table} t where t.ctid >= '(5,0)' and t.ctid < '(9,0)' and t.tableoid = any('{1}'::oid[])`,
  );
  expect(
    plan
      .map((row) => row['QUERY PLAN'])
      .join('\n')
      .match(/Tid Range Scan/g),
  ).toHaveLength(2);
  expect(await exporter.run(table, { settings })).toMatchObject({ state: 'nothing' });
});

test('rows updated, deleted and inserted between the chunks, some of them vacuumed away', async () => {
  const table = await newTable();
  await inChunks(table, async (done) => {
    await db.query(
      `update ${table} set version = nextval('version'), updated_at = clock_timestamp() where id % 7 = ${done}`,
    );
    await db.query(`delete from ${table} where id % 50 = ${done}`);
    await db.query(`insert into ${table} select 1000 * ${done} + i from generate_series(1, 9) i`);
    await db.query(`vacuum ${table}`);
  });
  await isComplete(table);
});

test('rows that move between partitions, in both directions', async () => {
  const table = await partitioned();
  await inChunks(table, async (done) => {
    const moved = `set id = id + 500, version = nextval('version'), updated_at = clock_timestamp()`;
    await db.query(`update ${table} ${moved} where id between ${done * 10} and ${done * 10 + 4}`);
    await db.query(`delete from ${table} where id = ${300 - done}`);
    const back = `set id = id - 100, version = nextval('version'), updated_at = clock_timestamp()`;
    await db.query(`update ${table} ${back} where id = ${400 - done}`);
  });
  await isComplete(table);
});

test('transactions open across the chunks: older, younger, and finished before the oldest one', async () => {
  const table = await newTable();
  const [oldest, begunEarly, late] = [await another(), await another(), await another()];
  try {
    // Its transaction begins before everybody's and ends before the run: its rows are dated before the floor.
    await begunEarly.query('begin; select now()');
    await oldest.query(`begin; update ${table} set version = nextval('version'), updated_at = now() where id = 1`);
    await begunEarly.query(`update ${table} set version = nextval('version'), updated_at = now() where id = 2; savepoint a;
      update ${table} set version = nextval('version'), updated_at = now() where id = 3; commit`);
    await late.query(
      `begin; savepoint a; update ${table} set version = nextval('version'), updated_at = now() where id = 4`,
    );
    for (let i = 0; i < 5; i++) await db.query(`update ${table} set version = nextval('version') where id = ${10 + i}`);
    const before = await versions(table);
    await inChunks(table, async (done) => {
      if (done === 1) await late.query('commit');
      if (done === 2) await oldest.query('commit');
    });
    // What was finished at the snapshot is in the run, by whatever ids; what was not came with the next one.
    expect(await found(table)).toEqual(expect.arrayContaining(before.filter((version) => version !== before[0])));
    const all = await isComplete(table);
    expect(all).toHaveLength(ROWS + 2);
  } finally {
    for (const client of [oldest, begunEarly, late]) await client.end();
  }
});

/** From there on the next run rolls it forward, and brings what is new besides. */
const AFTER_PREPARE = new Set(['prepared', 'file-completed', 'completed', 'committed']);

test('writers at random, and runs that break off', async () => {
  const seed = randomInt(1 << 30);
  console.log(`seed ${seed}`);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % below;
  };
  const writers = [await another(), await another(), await another()];
  const open = new Set<pg.Client>();
  try {
    for (let round = 0; round < 5; round++) {
      const table = round % 2 === 0 ? await newTable() : await partitioned();
      const write = async () => {
        const writer = writers[random(writers.length)];
        if (open.has(writer) && random(3) === 0) {
          open.delete(writer);
          return writer.query(random(4) === 0 ? 'rollback' : 'commit');
        }
        if (!open.has(writer)) await writer.query('begin');
        open.add(writer);
        // Of its own rows: two writers that wait for each other would keep us.
        const own = `id % 3 = ${writers.indexOf(writer)} and id % 40 = ${random(40)}`;
        if (random(3) === 0) await writer.query('savepoint a');
        if (random(5) === 0) return writer.query(`delete from ${table} where ${own}`);
        return writer.query(`update ${table} set version = nextval('version'), updated_at = now() where ${own}`);
      };
      for (let i = 0; i < 10; i++) await write();
      let outcome: { state: string } | null = null;
      while (outcome === null) {
        const step = async (name: string) => {
          if (random(20) === 0 && !AFTER_PREPARE.has(name)) throw new Error('enough');
          if (name !== 'chunk-noted') return;
          for (let i = 0; i < 4; i++) await write();
        };
        outcome = await exporter.run(table, { settings, step }).catch((error) => {
          if (error.message !== 'enough') throw error;
          return null;
        });
      }
      for (const writer of open) await writer.query('commit');
      open.clear();
      await isComplete(table);
    }
  } finally {
    for (const writer of writers) await writer.end();
  }
});

describe('what is new under a mark', () => {
  /** As export()s of the table bring them: nothing is left open. */
  const known = async (table: string) => {
    await exporter.run(table, { settings });
    expect(await exporter.run(table, { settings })).toMatchObject({ state: 'nothing' });
  };
  const noted = async (table: string) =>
    await db.query<{ full: boolean }>(
      `select r.is_full as "full" from tidemark.run_chunk join tidemark.run r using (run)
       join tidemark.source_table t on t.id = table_id where folder = $1`,
      [table],
    );
  const stopsAfter = async (table: string, chunks: number) => {
    let done = 0;
    const step = async (name: string) => {
      if (name === 'chunk-noted' && ++done === chunks) throw new Error('enough');
    };
    await expect(exporter.run(table, { settings, step })).rejects.toThrow('enough');
  };
  const isFull = async (table: string) => {
    const [{ full }] = await db.query<{ full: boolean }>(
      `select r.is_full as "full" from tidemark.run r join tidemark.source_table t on t.id = table_id
       where folder = $1 and state = 'committed' order by run desc limit 1`,
      [table],
    );
    return full;
  };

  test('a large table that was made anew goes in chunks, whole, and begins the mark anew', async () => {
    const table = await newTable();
    await known(table);
    const old = await versions(table);
    await db.query(`drop table ${table}; create table ${table} (${COLUMNS}, primary key (id))`);
    await db.query(`insert into ${table} (id, updated_at) select i, '2001-01-01' from generate_series(1, ${ROWS}) i`);
    const { outcome } = await inChunks(table, async (done) => {
      await db.query(
        `update ${table} set version = nextval('version'), updated_at = clock_timestamp() where id = ${done}`,
      );
    });
    // Those that were updated before their chunk was read are not the run's.
    expect(outcome).toMatchObject({ state: 'committed', watermark: expect.stringContaining('2001-01-01') });
    expect(await isFull(table)).toBe(true);
    await exporter.run(table, { settings });
    expect(await found(table)).toEqual(expect.arrayContaining([...old, ...(await versions(table))]));
    expect(new Set(await found(table)).size).toBe((await found(table)).length);
    expect(await exporter.run(table, { settings })).toMatchObject({ state: 'nothing' });
  });

  test('swapped back while it is read: what is left of the run goes, and what changed is exported', async () => {
    const table = await newTable();
    await known(table);
    const other = await newTable();
    await db.query(`alter table ${table} rename to away; alter table ${other} rename to ${table}`);
    await stopsAfter(table, 2);
    expect(await noted(table)).toMatchObject([{ full: true }, { full: true }]);
    await db.query(`alter table ${table} rename to ${other}; alter table away rename to ${table}`);
    await db.query(`update ${table} set version = nextval('version'), updated_at = now() where id = 7`);
    expect(await exporter.run(table, { settings })).toMatchObject({ state: 'committed', rows: 1n });
    expect(await noted(table)).toEqual([]);
    expect(await exporter.run(table, { settings })).toMatchObject({ state: 'nothing' });
  });

  /** 400 old rows in a partition that no run has seen. */
  const attach = async (table: string) => {
    await db.query(`create table ${table}_c (${COLUMNS}, primary key (id))`);
    await db.query(`insert into ${table}_c (id, updated_at) select i, '2001-01-01' from generate_series(1001, 1400) i`);
    await db.query(`alter table ${table} attach partition ${table}_c for values from (1000) to (2000)`);
  };
  const touch = (table: string, ids: string) =>
    db.query(`update ${table} set version = nextval('version'), updated_at = clock_timestamp() where id in (${ids})`);

  test.each(['by its own name', 'through the table alone'])(
    'a large partition that was attached comes in chunks, and what changed in the others with it, once (%s)',
    async (way) => {
      const table = await partitioned();
      await known(table);
      await touch(table, '1, 301, 400');
      await attach(table);
      await touch(table, '1001, 2');
      const role = await db.role();
      await db.query(`grant select on ${table} to ${role.name}`);
      await using others = await createExporter(role.url, {
        stateUrl: db.url,
        lakeDir: exporter.lakeDir,
        connections: 1,
      });
      const who = way === 'through the table alone' ? others : exporter;
      let done = 0;
      const outcome = await who.run(table, {
        settings,
        step: async (name) => {
          // After the mark was taken, before any row is read.
          if (name === 'chunks-planned') await touch(table, '5, 305, 1200');
          if (name === 'chunk-noted') await touch(table, `3, 302, ${1001 + 50 * ++done}, ${1400 - done}`);
        },
      });
      expect(done).toBeGreaterThan(4);
      // What was updated before its chunk was read comes with the next run.
      expect(outcome).toMatchObject({ state: 'committed', changed: undefined });
      expect(await isFull(table)).toBe(false);
      const all = await isComplete(table);
      expect(all.length).toBeGreaterThanOrEqual(ROWS + 400 + 4);
    },
  );

  test('stopped in between, such a run goes on, reads no chunk again, and --full begins anew', async () => {
    const table = await partitioned();
    await known(table);
    await touch(table, '1, 301');
    await attach(table);
    await stopsAfter(table, 2);
    expect(await noted(table)).toMatchObject([{ full: false }, { full: false }]);
    await touch(table, '2, 1400');
    const steps: string[] = [];
    const { outcome } = {
      outcome: await exporter.run(table, { settings, step: async (name) => void steps.push(name) }),
    };
    expect(steps).not.toContain('planned');
    expect(outcome).toMatchObject({ state: 'committed', rows: 401n });
    expect(await isFull(table)).toBe(false);
    expect(await exporter.run(table, { settings })).toMatchObject({ rows: 2n });
    await isComplete(table);

    await db.query(`alter table ${table} detach partition ${table}_c; alter table ${table}_c rename to ${table}_gone`);
    await attach(table);
    await stopsAfter(table, 1);
    expect(await exporter.run(table, { settings, full: true })).toMatchObject({ rows: BigInt(ROWS + 400) });
    expect(await isFull(table)).toBe(true);
  });

  test('detached before its chunks are read, it is left out; written anew, the run begins anew', async () => {
    const table = await partitioned();
    await known(table);
    await attach(table);
    await stopsAfter(table, 1);
    await db.query(`alter table ${table} detach partition ${table}_c`);
    expect(await exporter.run(table, { settings })).toMatchObject({ state: 'committed', rows: 0n });
    await db.query(`alter table ${table} attach partition ${table}_c for values from (1000) to (2000)`);
    let done = 0;
    const steps: string[] = [];
    const outcome = await exporter.run(table, {
      settings,
      step: async (name) => {
        steps.push(name);
        if (name === 'chunk-noted' && ++done === 2) await db.query(`vacuum full ${table}_c`);
      },
    });
    expect(steps.filter((step) => step === 'uploads-aborted')).toHaveLength(1);
    expect(outcome).toMatchObject({ rows: 400n });
    await isComplete(table);
  });

  test('without a cursor, and with a counted one', async () => {
    for (const cursor of ['none', { column: 'version' }] as const) {
      const table = await partitioned();
      const some = { ...settings, cursor };
      const run = (step?: (name: string) => Promise<void>) => exporter.run(table, { settings: some, step });
      await run();
      await run();
      await db.query(`update ${table} set version = nextval('version') where id in (1, 301)`);
      await attach(table);
      let done = 0;
      const outcome = await run(async (name) => {
        if (name === 'chunk-noted' && ++done === 2)
          await db.query(`update ${table} set version = nextval('version') where id in (2, 1399)`);
      });
      expect(done).toBeGreaterThan(3);
      expect(outcome).toMatchObject({ state: 'committed' });
      await run();
      const all = await found(table);
      expect(new Set(all).size).toBe(all.length);
      expect(all).toEqual(expect.arrayContaining(await versions(table)));
      expect(await run()).toMatchObject({ state: 'nothing' });
    }
  });
});

describe('a table that is changed in between', () => {
  test.each([
    ['vacuum full', (table: string) => `vacuum full ${table}`],
    ['a rewriting ALTER', (table: string) => `alter table ${table} alter version type bigint`],
    ['TRUNCATE', (table: string) => `truncate ${table}`],
    ['a column dropped', (table: string) => `alter table ${table} drop pad`],
    ['a partition written anew', (table: string) => `vacuum full ${table}_b`],
  ])('%s: the run begins anew', async (what, change) => {
    const table = what.includes('partition') ? await partitioned() : await newTable();
    let done = 0;
    const steps: string[] = [];
    const outcome = await exporter.run(table, {
      settings,
      step: async (name) => {
        steps.push(name);
        if (name === 'chunk-noted' && ++done === 2) await db.query(change(table));
      },
    });
    expect(steps.filter((step) => step === 'uploads-aborted')).toHaveLength(1);
    expect(outcome).toMatchObject({ state: 'committed', rows: what === 'TRUNCATE' ? 0n : BigInt(ROWS) });
    expect(await found(table)).toEqual(await versions(table));
  });

  test('made anew under its name: the run ends, the next one exports the new table', async () => {
    const table = await newTable();
    const again = async () => {
      await db.query(`drop table ${table}`);
      await db.query(`create table ${table} (${COLUMNS}, primary key (id))`);
      await db.query(`insert into ${table} select generate_series(1, ${ROWS})`);
    };
    const first = inChunks(table, async (done) => done === 2 && again());
    await first.catch(() => {});
    await exporter.run(table, { settings });
    expect(await found(table)).toEqual(await versions(table));
  });

  test('a column that is added comes with the next run, and a partition that is attached too, whole', async () => {
    const table = await partitioned();
    await db.query(`create table ${table}_c (${COLUMNS})`);
    await db.query(`insert into ${table}_c select generate_series(1001, 1400)`);
    const { outcome } = await inChunks(table, async (done) => {
      if (done === 2)
        await db.query(`alter table ${table} attach partition ${table}_c for values from (1000) to (2000)`);
      if (done === 3) await db.query(`alter table ${table} add note text default 'new'`);
    });
    expect(outcome).toMatchObject({ rows: BigInt(ROWS) });
    expect(await exporter.run(table, { settings })).toMatchObject({ rows: 400n });
    expect(await found(table)).toEqual(await versions(table));
  });

  test('a partition that is detached is left alone; attached again, it comes with the next run', async () => {
    const table = await partitioned();
    const { outcome } = await inChunks(table, async (done) => {
      if (done === 1) await db.query(`alter table ${table} detach partition ${table}_b`);
      if (done === 3)
        await db.query(`alter table ${table} attach partition ${table}_b for values from (301) to (1000)`);
    });
    expect(outcome.state).toBe('committed');
    await exporter.run(table, { settings });
    expect(new Set(await found(table))).toEqual(new Set(await versions(table)));
  });
});

test('where, start and a table without any row that is wanted', async () => {
  const table = await newTable();
  await db.query(`update ${table} set updated_at = '2020-01-01' where id <= 100`);
  await inChunks(table, async () => {}, { where: 'id % 2 = 0', start: '2021-01-01' });
  expect(await exporter.rows(table)).toHaveLength(150);
  const none = await newTable();
  const { outcome } = await inChunks(none, async () => {}, { where: 'id < 0' });
  expect(outcome).toMatchObject({ state: 'committed', rows: 0n, files: [{ rows: 0 }] });
});

test('a failure keeps the chunks that are done, and so does another setting that does not matter', async () => {
  const table = await newTable();
  await db.query(`alter table ${table} add price numeric(30, 2) default 1`);
  await db.query(`update ${table} set price = 'NaN' where id = ${ROWS}`);
  await db.query(`vacuum full ${table}`);
  const noted = async () =>
    (
      await db.query(
        `select chunk from tidemark.run_chunk join tidemark.run using (run) join tidemark.source_table t on t.id = table_id
         where folder = $1`,
        [table],
      )
    ).length;
  await expect(exporter.run(table, { settings })).rejects.toMatchObject({ code: 'VALUE_UNFIT' });
  const done = await noted();
  expect(done).toBeGreaterThan(2);
  const steps: string[] = [];
  const outcome = await exporter.run(table, {
    settings: { ...settings, columns: { price: { on_unfit: 'null' } } },
    step: async (name) => void steps.push(name),
  });
  expect(outcome).toMatchObject({ rows: BigInt(ROWS), unfit: { price: { null: 1 } } });
  expect(steps).not.toContain('planned');
  expect(await found(table)).toEqual(await versions(table));
});

test('another where begins anew; --full goes on with what was begun within a day', async () => {
  const table = await newTable();
  const dies = async (options: { full?: boolean; some?: Partial<TableSettings> } = {}) => {
    let done = 0;
    const stopped = exporter.run(table, {
      full: options.full,
      settings: { ...settings, ...options.some },
      step: async (name) => {
        if (name === 'chunk-noted' && ++done === 2) throw new Error('enough');
      },
    });
    await expect(stopped).rejects.toThrow('enough');
  };
  const stepsOf = async (options: { full?: boolean; some?: Partial<TableSettings> } = {}) => {
    const steps: string[] = [];
    const step = async (name: string) => void steps.push(name);
    const outcome = await exporter.run(table, { full: options.full, settings: { ...settings, ...options.some }, step });
    return { steps, outcome };
  };
  await dies({ some: { where: 'id > 10' } });
  const first = await stepsOf();
  expect(first.steps).toContain('planned');
  expect(first.outcome).toMatchObject({ rows: BigInt(ROWS) });
  await dies({ full: true });
  // Without --full, too: the run that was begun is finished first.
  const second = await stepsOf();
  expect(second.steps).not.toContain('planned');
  expect(second.outcome).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
  await dies({ full: true });
  expect((await stepsOf({ full: true })).steps).not.toContain('planned');
  await dies({ full: true });
  await db.query(
    `update tidemark.run set next_mark = jsonb_set(next_mark, '{at}', '"2020-01-01T00:00:00.000000Z"') where state = 'planned'`,
  );
  expect((await stepsOf({ full: true })).steps).toContain('planned');
});
