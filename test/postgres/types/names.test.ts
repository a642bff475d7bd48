import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { readWithHyparquet } from '../../support/parquet-readers.ts';
import type { TextColumns } from '../../support/parquet-text.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;

beforeAll(async () => {
  db = await createDatabase();
});
/** A test's own: the state remembers whose folder it is. */
let folder = '';
let folders = 0;
beforeEach(async () => {
  folder = `folder_${++folders}`;
  exporter = await createExporter(db.url);
});
afterEach(async () => {
  await exporter[Symbol.asyncDispose]();
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});

const ADDED = ['_tidemark_run', '_tidemark_op', '_tidemark_at'];
const id = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** What the first file of a run holds, without what tidemark adds. */
async function exported(table: string, settings: object = {}): Promise<TextColumns> {
  const outcome = await exporter.run(table, { settings: { folder, ...settings } });
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  const read = await readWithHyparquet(path.join(exporter.lakeDir, outcome.files[0].key));
  expect(Object.keys(read).slice(-3)).toEqual(ADDED);
  return Object.fromEntries(Object.entries(read).filter(([name]) => !ADDED.includes(name)));
}

const ODD_NAMES = [
  'Upper Case',
  'select',
  'with "quotes"',
  "it's",
  'dotted.name',
  'back\\slash\\',
  '%s $1 :x ? /* -- */',
  'emoji 🏔',
  '界'.repeat(21),
  'x'.repeat(63),
  ' ',
  '{};=,',
  't',
];

test.each(ODD_NAMES)('a table, its schema, its key, its cursor and its columns all called %j', async (name) => {
  await db.query(`create schema ${id(name)}`);
  const table = `${id(name)}.${id(name)}`;
  await db.query(`create table ${table} (${id(name)} int primary key, "at" timestamptz default now(), "c.c" int[])`);
  await db.query(`insert into ${table} values (1, now(), '{1}')`);
  const settings = { name: { schema: name, table: name }, cursor: { column: 'at' } };
  const lakeName = name.replaceAll(/[ ,;{}()\n\t=]/g, '_');
  const first = await exported(name, settings);
  expect(Object.keys(first)).toEqual([lakeName, 'at', 'c.c']);
  expect(first[lakeName]).toEqual(['1']);
  await db.query(`insert into ${table} values (2, now(), null)`);
  expect((await exported(name, settings))[lakeName]).toEqual(['2']);
  await db.query(`alter table ${table} add column d date default 'infinity'; update ${table} set "at" = now()`);
  await expect(exported(name, settings)).rejects.toMatchObject({
    place: { table: `${id(name)}.${id(name)}`.replace(/^"([a-z_][a-z0-9_$]*)"\."\1"$/, '$1.$1'), key: `${name}=1` },
  });
});

test('columns of odd names, of names that the lake forbids and of names that are equal there', async () => {
  const columns = [
    ...[
      'id',
      'a b',
      'a_b',
      'A_B',
      'a=b',
      'Ärger',
      'ärger',
      'select',
      'dotted.name',
      'quote"d',
      "it's",
      '🏔',
      ' ',
      'x\ny',
    ],
    ...['_tidemark_run', '_TIDEMARK_AT', 'a_b_2', 'xmin ', 'c0', 'x', 'r', 'd', 'd__text', 'back\\slash'],
  ];
  await db.query(`create table odd_columns (${columns.map((c) => `${id(c)} text`)}, primary key (id))`);
  await db.query(`insert into odd_columns values (${columns.map((_, i) => `'${i}'`)})`);
  const read = await exported('odd_columns', { columns: { d: { on_unfit: 'text' } } });
  expect(Object.entries(read).map(([name, [value]]) => [value === null ? null : columns[Number(value)], name])).toEqual(
    [
      ['id', 'id'],
      ['a b', 'a_b_3'],
      ['a_b', 'a_b'],
      ['A_B', 'A_B_2'],
      ['a=b', 'a_b_4'],
      ['Ärger', 'Ärger'],
      ['ärger', 'ärger_2'],
      ['select', 'select'],
      ['dotted.name', 'dotted.name'],
      ['quote"d', 'quote"d'],
      ["it's", "it's"],
      ['🏔', '🏔'],
      [' ', '_'],
      ['x\ny', 'x_y'],
      ['_tidemark_run', '_tidemark_run_2'],
      ['_TIDEMARK_AT', '_TIDEMARK_AT_2'],
      ['a_b_2', 'a_b_2_2'],
      ['xmin ', 'xmin_'],
      ['c0', 'c0'],
      ['x', 'x'],
      ['r', 'r'],
      ['d', 'd'],
      [null, 'd__text_2'],
      ['d__text', 'd__text'],
      ['back\\slash', 'back\\slash'],
    ],
  );
});

describe('shapes of tables', () => {
  test('1,500 columns of every way to be selected', async () => {
    const types = ['int', 'text', 'numeric(10,2)', 'timestamptz', 'int[]', 'interval', 'boolean', 'uuid', 'int4range'];
    const columns = Array.from({ length: 1_500 }, (_, i) => `c${i} ${types[i % types.length]}`);
    await db.query(`create table wide (id int primary key, ${columns})`);
    await db.query(`insert into wide (id, c0) values (1, 7), (2, null);
      insert into wide (id, c4, c1493) values (3, '{1}', '[1,2)')`);
    const read = await exported('wide');
    expect(Object.keys(read)).toEqual(['id', ...columns.map((c) => c.split(' ')[0])]);
    expect([read.id, read.c0, read.c4, read.c1493]).toEqual([
      ['1', '2', '3'],
      ['7', null, null],
      [null, null, '[1]'],
      [null, null, '{"lower" : 1, "upper" : 2, "lower_inc" : true, "upper_inc" : false}'],
    ]);
  });

  test('no column at all: rows are counted, each once', async () => {
    await db.query(
      'create table empty_rows (); insert into empty_rows default values; insert into empty_rows default values',
    );
    const settings = { folder, key: 'none' as const };
    expect(await exporter.run('empty_rows', { settings })).toMatchObject({ rows: 2n });
    expect(await exporter.run('empty_rows', { settings })).toMatchObject({ state: 'nothing' });
    await db.query('insert into empty_rows default values');
    expect(await exporter.run('empty_rows', { settings })).toMatchObject({ rows: 1n });
    const rows = await exporter.rows(folder);
    expect(rows.map((row) => [Object.keys(row), row._tidemark_op])).toEqual([1, 2, 3].map(() => [ADDED, 'u']));
  });

  test('generated columns, stored and virtual; dropped ones; identity; defaults', async () => {
    const [{ virtual }] = await db.query<{ virtual: boolean }>(
      `select current_setting('server_version_num')::int >= 180000 as virtual`,
    );
    await db.query(`create table made (gone int, id int primary key generated always as identity, a int, also_gone text,
      s int generated always as (a * 2) stored, v text generated always as ('v' || a) ${virtual ? 'virtual' : 'stored'}, z int default 5)`);
    await db.query('insert into made (a) values (1)');
    await db.query('alter table made drop gone, drop also_gone');
    await db.query('insert into made (a) values (2)');
    expect(await exported('made')).toEqual({
      id: ['1', '2'],
      a: ['1', '2'],
      s: ['2', '4'],
      v: ['v1', 'v2'],
      z: ['5', '5'],
    });
  });

  test('a partitioned table: every partition’s rows, columns in whatever order the partitions have them', async () => {
    await db
      .query(`create table parts (id int, at date, t text, primary key (id, at)) partition by range (at);
      create table parts_2024 partition of parts for values from ('2024-01-01') to ('2025-01-01') partition by list (t);
      create table parts_2024_a partition of parts_2024 for values in ('a');
      create table parts_2024_rest partition of parts_2024 default;
      create table odd_order (t text, gone int, at date not null, id int not null);
      alter table odd_order drop gone;
      alter table parts attach partition odd_order for values from ('2025-01-01') to ('2026-01-01');
      insert into parts values (1, '2024-01-01', 'a'), (2, '2024-01-02', 'b'), (3, '2025-01-01', 'c')`)
      .catch((error) => {
        // A key over the whole table must hold every column that tells its parts apart.
        expect(error.message).toContain('must include all partitioning columns');
      });
    await db.query('drop table if exists parts, odd_order');
    await db.query(`create table parts (id int, at date, t text, primary key (id, at)) partition by range (at);
      create table parts_2024 partition of parts for values from ('2024-01-01') to ('2025-01-01');
      create table odd_order (t text, gone int, at date not null, id int not null);
      alter table odd_order drop gone;
      alter table parts attach partition odd_order for values from ('2025-01-01') to ('2026-01-01');
      insert into parts values (1, '2024-01-01', 'a'), (3, '2025-01-01', 'c')`);
    expect(await exported('parts')).toEqual({ id: ['1', '3'], at: ['2024-01-01', '2025-01-01'], t: ['a', 'c'] });
    await db.query("insert into parts values (4, '2024-02-01', 'd')");
    expect(await exported('parts')).toEqual({ id: ['4'], at: ['2024-02-01'], t: ['d'] });
  });

  test('an inheritance parent: the rows of its children too, as Postgres answers, with the parent’s columns', async () => {
    await db.query(`create table parent (id int primary key, t text);
      create table child (more int) inherits (parent);
      insert into parent values (1, 'parent'); insert into child values (2, 'child', 3)`);
    expect(await exported('parent')).toEqual({ id: ['1', '2'], t: ['parent', 'child'] });
    await db.query("insert into child values (4, 'later', 5)");
    expect(await exported('parent')).toEqual({ id: ['4'], t: ['later'] });
  });

  test('the first run of an empty table leaves a file with its columns, and its first row comes with the next run', async () => {
    await db.query('create table bare (id int primary key)');
    const first = { state: 'committed', rows: 0n, files: [{ rows: 0 }] };
    expect(await exporter.run('bare', { settings: { folder } })).toMatchObject(first);
    expect(await exporter.run('bare', { settings: { folder } })).toMatchObject({ state: 'nothing' });
    await db.query('insert into bare values (1)');
    expect(await exported('bare')).toEqual({ id: ['1'] });
  });
});
