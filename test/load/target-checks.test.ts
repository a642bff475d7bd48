import { expect, test } from 'vitest';
import type { LoadSettings } from '../../src/load/settings.ts';
import { createTable } from '../../src/load/target/create-table.ts';
import { column } from '../support/load-settings.ts';
import { EVENTS, openTarget, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';

const unfit: [name: string, ddl: string, settings: Partial<LoadSettings>, error: Record<string, unknown>][] = [
  [
    'there is no table',
    '',
    {},
    {
      code: 'TARGET_TABLE',
      message: expect.stringMatching(/no such table/),
      hint: expect.stringContaining('create table "public"."events"'),
    },
  ],
  [
    'it is a view',
    'create view events as select 1::bigint as id',
    {},
    { code: 'TARGET_TABLE', message: expect.stringContaining('not a table') },
  ],
  [
    'a column is missing',
    'create table events (id bigint primary key, name text)',
    {},
    { code: 'TARGET_TABLE', place: expect.objectContaining({ column: 'amount' }) },
  ],
  [
    'a type is another',
    'create table events (id bigint primary key, name int, amount numeric)',
    {},
    { code: 'TARGET_TABLE', message: 'is integer in the table, text in the load', hint: 'write type: integer' },
  ],
  [
    'a type is narrower',
    'create table events (id int primary key, name text, amount numeric)',
    {},
    { code: 'TARGET_TABLE', place: expect.objectContaining({ column: 'id' }) },
  ],
  [
    'nobody knows the type',
    EVENTS,
    { columns: [column('id', 'bigint'), column('name', 'txt')] },
    { code: 'CONFIG_INVALID', message: 'the target knows no type "txt"' },
  ],
  [
    'a column must be filled and is not',
    'create table events (id bigint primary key, name text, amount numeric, tenant int not null)',
    {},
    { code: 'TARGET_TABLE', place: expect.objectContaining({ column: 'tenant' }) },
  ],
  [
    'a column is generated',
    'create table events (id bigint primary key, name text, amount numeric generated always as (1) stored)',
    {},
    { code: 'TARGET_TABLE', place: expect.objectContaining({ column: 'amount' }) },
  ],
  [
    'no unique index stands on the key',
    'create table events (id bigint not null, name text, amount numeric); create unique index on events (id, name); create unique index on events (id) where id > 0; create index on events (id)',
    {},
    { code: 'TARGET_TABLE', hint: expect.stringContaining('CREATE UNIQUE INDEX ON public.events ("id")') },
  ],
  [
    'a unique index that is checked late',
    'create table events (id bigint not null unique deferrable, name text, amount numeric)',
    {},
    { code: 'TARGET_TABLE', message: expect.stringContaining('no unique index') },
  ],
  [
    'the key may be null',
    'create table events (id bigint unique, name text, amount numeric)',
    {},
    { code: 'TARGET_TABLE', hint: expect.stringContaining('SET NOT NULL') },
  ],
  [
    'the key is not loaded',
    EVENTS,
    { key: ['uid'] },
    { code: 'CONFIG_INVALID', place: expect.objectContaining({ column: 'uid' }) },
  ],
];

test.each(unfit)('a load is refused when %s', async (_, ddl, settings, error) => {
  await using db = await createDatabase();
  if (ddl !== '') await db.query(ddl);
  await expect(openTarget(settingsOf(db.url, settings))).rejects.toMatchObject(error);
});

const fit: [name: string, ddl: string, settings: Partial<LoadSettings>][] = [
  [
    'wider numbers, other texts, a default',
    'create table events (id numeric primary key, name varchar(9), amount double precision, tenant int not null default 1, at timestamptz generated always as (null) stored)',
    {},
  ],
  [
    'a key of two columns in any order',
    'create table events (id bigint, name text, amount numeric, primary key (name, id))',
    { key: ['id', 'name'] },
  ],
  [
    'partitions, an identity, odd names',
    'create table "Odd ""T" (id bigint generated always as identity, name text, amount numeric, primary key (id)) partition by range (id); create table p partition of "Odd ""T" default',
    { into: { schema: 'public', table: 'Odd "T' } },
  ],
  [
    'its own types',
    "create type mood as enum ('a'); create domain d as text check (value <> ''); create table events (id bigint primary key, name mood, amount d)",
    { columns: [column('id', 'int'), column('name', 'mood'), column('amount', 'text')] },
  ],
];

test.each(fit)('a load fits a table with %s', async (_, ddl, settings) => {
  await using db = await createDatabase();
  await db.query(ddl);
  await using target = await openTarget(settingsOf(db.url, settings));
  expect(target).toBeDefined();
});

test('what --create prints is a table that fits', async () => {
  await using db = await createDatabase();
  const settings = settingsOf(db.url, {
    into: { schema: 'public', table: 'E"v' },
    columns: [
      column('id', 'bigint'),
      column('A b', 'varchar(3)', { required: true }),
      column('amount', 'numeric(9,2)', { default: 0 }),
      column('kind', 'text', { default: "it's" }),
    ],
  });
  await db.query(createTable(settings));
  await using target = await openTarget(settings);
  expect(target).toBeDefined();
  expect(
    await db.query(
      `select attname, attnotnull from pg_attribute where attrelid = '"E""v"'::regclass and attnum > 0 order by attnum`,
    ),
  ).toEqual([
    { attname: 'id', attnotnull: true },
    { attname: 'A b', attnotnull: true },
    { attname: 'amount', attnotnull: true },
    { attname: 'kind', attnotnull: true },
  ]);
});

test('a role without rights is told which; with them it needs no more', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const role = await db.role();
  const open = () => openTarget(settingsOf(role.url));
  await expect(open()).rejects.toMatchObject({
    code: 'TARGET_GRANT',
    hint: expect.stringContaining('CREATE SCHEMA "tidemark"'),
  });
  await db.query(`create schema tidemark authorization ${role.name}`);
  await expect(open()).rejects.toMatchObject({
    code: 'TARGET_GRANT',
    hint: expect.stringContaining('GRANT SELECT, INSERT ON public.events'),
  });
  await db.query(`grant select, insert on events to ${role.name}; revoke temporary on database ${db.name} from public`);
  await expect(open()).rejects.toMatchObject({
    code: 'TARGET_GRANT',
    hint: expect.stringContaining('GRANT TEMPORARY'),
  });
  await db.query(`grant temporary on database ${db.name} to ${role.name}`);
  {
    await using target = await open();
    expect(target).toBeDefined();
  }
  await db.query('drop schema tidemark cascade');
});

test('a ledger of a newer tidemark is left alone; two that open at once make one', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const opened = await Promise.all([1, 2, 3].map(() => openTarget(settingsOf(db.url))));
  for (const target of opened) await target[Symbol.asyncDispose]();
  expect(await db.query('select version from tidemark.ledger_migration')).toEqual([{ version: 1 }, { version: 2 }]);
  await db.query(`insert into tidemark.ledger_migration (version, name) values (99, 'later')`);
  await expect(openTarget(settingsOf(db.url))).rejects.toMatchObject({ code: 'TARGET_NEWER' });
});

test('every table and column of the ledger that needs words has them', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await (await openTarget(settingsOf(db.url)))[Symbol.asyncDispose]();
  expect(
    await db.query(
      `select relname from pg_class where relnamespace = 'tidemark'::regnamespace and relkind = 'r' and obj_description(oid) is null`,
    ),
  ).toEqual([]);
});
