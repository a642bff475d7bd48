/** Tables and partitions that are made anew, attached, emptied or written anew between runs: no row is missing, and none comes twice save where docs say so. */

import { beforeEach, describe, expect, test } from 'vitest';
import { createExporter } from '../../support/exporter.ts';
import { db, exporter } from '../../support/exporter-for-each.ts';

/** Exported ids, in order, of the runs since the last call. */
let taken = 0;
async function newIds(table = 't'): Promise<number[]> {
  const rows = await exporter.rows(table);
  const run = (row: Record<string, string | null>) => Number(row._tidemark_run);
  const found = rows.filter((row) => run(row) > taken).map((row) => Number(row.id));
  taken = Math.max(taken, ...rows.map(run));
  return found.sort((a, b) => a - b);
}
beforeEach(() => {
  taken = 0;
});

const lastRunIsFull = async () => (await exporter.state.status())[0].lastRun?.full;

const OLD = "'2001-01-01'";

describe('a table of its own', () => {
  beforeEach(async () => {
    await db.query('create table t (id int primary key, v int, updated_at timestamptz not null default now())');
    await db.query('insert into t select i, 0 from generate_series(1, 5) i');
    await exporter.run('t');
    await exporter.run('t');
    expect(await newIds()).toEqual([1, 2, 3, 4, 5]);
  });

  test('dropped and made again, it is exported whole, though its rows are older than the floor', async () => {
    await db.query('drop table t');
    await db.query('create table t (id int primary key, v int, updated_at timestamptz not null default now())');
    await db.query(`insert into t values (7, 0, ${OLD}), (8, 0, now())`);
    expect(await exporter.run('t')).toMatchObject({ state: 'committed', rows: 2n });
    expect(await newIds()).toEqual([7, 8]);
    expect(await lastRunIsFull()).toBe(true);
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('swapped for another under its name, it is exported whole, though its rows were committed long ago', async () => {
    await db.query('create table other (like t including all)');
    await db.query(`insert into other values (9, 0, ${OLD})`);
    await exporter.run('t');
    await db.query('alter table t rename to away; alter table other rename to t');
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    expect(await newIds()).toEqual([9]);
  });

  test('emptied and filled with old rows, they are exported', async () => {
    await db.query(`truncate t; insert into t values (6, 0, ${OLD})`);
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    expect(await newIds()).toEqual([6]);
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test.each(['vacuum full t', 'cluster t using t_pkey'])(
    '%s brings nothing again, and misses nothing',
    async (text) => {
      await db.query('update t set v = 1, updated_at = now() where id = 2');
      await db.query(text);
      expect(await exporter.run('t')).toMatchObject({ rows: 1n });
      expect(await newIds()).toEqual([2]);
    },
  );

  test('an ALTER that writes every row anew brings every row again', async () => {
    await db.query(`update t set updated_at = ${OLD}`);
    await exporter.run('t');
    await newIds();
    await db.query('alter table t alter v type bigint using v + 1');
    expect(await exporter.run('t')).toMatchObject({ rows: 5n });
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('a mark from before partitions and history were noted goes on, and the run notes them', async () => {
    await db.query("update tidemark.source_table set mark = mark - 'leaves' - 'history'");
    await db.query('insert into t values (6)');
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    const mark = await exporter.mark('t');
    expect(mark?.leaves).toHaveLength(1);
    expect(mark?.history).toMatchObject({ timeline: 1 });
  });
});

describe('a partitioned table', () => {
  beforeEach(async () => {
    await db.query(`create table t (id int, v int, updated_at timestamptz not null default now(), primary key (id))
      partition by range (id)`);
    await db.query('create table t_1 partition of t for values from (0) to (100)');
    await db.query('create table t_2 partition of t for values from (100) to (200)');
    await db.query('insert into t select i, 0 from generate_series(98, 101) i');
    await exporter.run('t');
    await exporter.run('t');
    expect(await newIds()).toEqual([98, 99, 100, 101]);
  });

  const attach = async () => {
    await db.query('create table t_3 (like t including all)');
    await db.query(`insert into t_3 values (200, 0, ${OLD}), (201, 0, ${OLD})`);
    // The run's snapshot sees their transaction: only the partition's being new shows that they are not exported.
    await exporter.run('t');
    await db.query('alter table t attach partition t_3 for values from (200) to (300)');
  };

  test('a partition that is attached comes whole, with what changed elsewhere, once', async () => {
    await attach();
    // One that the rule for the other partitions would bring, too.
    await db.query('insert into t values (202, 0)');
    await db.query('update t set updated_at = now() where id = 98');
    expect(await exporter.run('t')).toMatchObject({ state: 'committed', rows: 4n });
    expect(await newIds()).toEqual([98, 200, 201, 202]);
    expect(await lastRunIsFull()).toBe(false);
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('a role that may read the table, but not its partitions, gets them too', async () => {
    const role = await db.role();
    await db.query(`grant select on t to ${role.name}`);
    await attach();
    await using others = await createExporter(role.url, { stateUrl: db.url, lakeDir: exporter.lakeDir });
    expect(await others.run('t')).toMatchObject({ rows: 2n });
    expect(await newIds()).toEqual([200, 201]);
  });

  test('a partition without a row is known from then on, and its first rows come once', async () => {
    await db.query('create table t_3 partition of t for values from (200) to (300)');
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
    await db.query('insert into t values (250, 0)');
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('a partition that was detached, changed and attached again loses nothing', async () => {
    await db.query('alter table t detach partition t_2');
    await db.query('update t_2 set v = 1, updated_at = now() where id = 100');
    await db.query('alter table t attach partition t_2 for values from (100) to (200)');
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    await db.query('alter table t detach partition t_2');
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
    await db.query(`update t_2 set v = 1, updated_at = ${OLD} where id = 101`);
    await exporter.run('t');
    await newIds();
    await db.query('alter table t attach partition t_2 for values from (100) to (200)');
    // It was away for a run: all of it comes, also what was exported before.
    expect(await exporter.run('t')).toMatchObject({ rows: 2n });
    expect(await newIds()).toEqual([100, 101]);
  });

  test('a partition that takes the place of all others leaves in the lake what they held', async () => {
    await db.query('drop table t_1; drop table t_2; create table t_3 partition of t for values from (200) to (300)');
    await db.query(`insert into t values (200, 0, ${OLD})`);
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    expect(await lastRunIsFull()).toBe(false);
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('one partition written anew is looked at whole, the others by their index', async () => {
    await db.query(`update t set updated_at = ${OLD} where id >= 100`);
    await exporter.run('t');
    await newIds();
    await db.query(`truncate t_2; insert into t values (150, 0, ${OLD})`);
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    expect(await newIds()).toEqual([150]);
    await db.query('vacuum full t_1');
    expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
  });

  test('where: holds for partitions that come whole, too', async () => {
    await attach();
    expect(await exporter.run('t', { settings: { where: 'id <> 200' } })).toMatchObject({ rows: 1n });
  });

  test('sixty partitions at once are read in one branch', async () => {
    for (let i = 0; i < 60; i++) {
      await db.query(`create table p_${i} (like t including all)`);
      await db.query(`insert into p_${i} values (${1000 + i}, 0, ${OLD})`);
    }
    await exporter.run('t');
    for (let i = 0; i < 60; i++)
      await db.query(`alter table t attach partition p_${i} for values from (${1000 + i}) to (${1001 + i})`);
    await db.query('insert into t values (1)');
    expect(await exporter.run('t')).toMatchObject({ rows: 61n });
    expect(await newIds()).toEqual([1, ...Array.from({ length: 60 }, (_, i) => 1000 + i)]);
  });
});

test('children of an inheritance parent come as its partitions do', async () => {
  await db.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  await db.query('insert into t values (1)');
  await exporter.run('t');
  await exporter.run('t');
  await newIds();
  await db.query(`create table child (like t); insert into child values (2, ${OLD})`);
  await exporter.run('t');
  await db.query('alter table child inherit t');
  expect(await exporter.run('t')).toMatchObject({ rows: 1n });
  expect(await newIds()).toEqual([2]);
  expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
});

test('a child comes whole, and alone, also for a role that may read the parent only', async () => {
  await db.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  await db.query(`insert into t values (1, ${OLD}); create table child (like t); insert into child values (2, ${OLD})`);
  const role = await db.role();
  await db.query(`grant select on t to ${role.name}`);
  await using others = await createExporter(role.url, { stateUrl: db.url, lakeDir: exporter.lakeDir });
  await others.run('t');
  await others.run('t');
  await newIds();
  await db.query('alter table child inherit t');
  expect(await others.run('t')).toMatchObject({ rows: 1n });
  expect(await newIds()).toEqual([2]);
});
