import { describe, expect, test } from 'vitest';
import { checkSchemaChange, planColumns, writtenColumns } from '../../../src/export/column-plan.ts';
import type { PgType } from '../../../src/model/column-type.ts';
import { keyOf } from '../../../src/model/run.ts';
import type { TableSettings } from '../../../src/model/table.ts';
import type { SourceTable } from '../../../src/postgres/describe.ts';
import { tableSettings } from '../../support/exporter.ts';

const TYPES: Record<string, number> = {
  int: 23,
  bigint: 20,
  text: 25,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  bool: 16,
  numeric: 1700,
  citext: 99_999,
};

function table(columns: Record<string, string>, primaryKey = ['id']): SourceTable {
  return {
    name: { schema: 'public', table: 't' },
    oid: 1,
    columns: Object.entries(columns).map(([name, type]) => ({ name, type: pgType(type), notNull: name === 'id' })),
    primaryKey,
    estimatedRows: 0,
    columnList: '',
  };
}

const pgType = (name: string): PgType => ({
  ...{ oid: TYPES[name], typmod: -1, name, kind: 'base', element: null },
  extension: name === 'citext' ? name : null,
});
const plan = (columns: Record<string, string>, settings: Partial<TableSettings> = {}, key?: string[]) =>
  planColumns(table(columns, key), tableSettings('t', settings), 2);

function failure(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it went well');
}

describe('key', () => {
  test('the primary key, in its own order; or what the configuration names; or none', () => {
    const columns = { a: 'int', id: 'int', b: 'text' };
    expect(plan(columns, {}, ['b', 'id']).key).toEqual([2, 1]);
    expect(plan(columns, { key: ['a'] }).key).toEqual([0]);
    expect(plan(columns, { key: 'none' }, []).key).toEqual([]);
    expect(failure(() => plan(columns, {}, []))).toMatchObject({
      code: 'KEY_MISSING',
      hint: expect.stringContaining('key: none'),
    });
  });
});

describe('the columns as the state store keeps them', () => {
  const written = (...args: Parameters<typeof plan>) =>
    writtenColumns(plan(...args)).map(({ name, key, equality }) =>
      [name, key, equality].filter((x) => x !== undefined),
    );

  test('each column of the key has its place in it', () => {
    const columns = { a: 'int', id: 'int', b: 'text' };
    expect(written(columns, {}, ['b', 'id'])).toEqual([['a'], ['id', 2], ['b', 1]]);
    expect(written(columns, { key: 'none' }, [])).toEqual([['a'], ['id'], ['b']]);
    expect(keyOf(writtenColumns(plan(columns, {}, ['b', 'id']))).map(({ name }) => name)).toEqual(['b', 'id']);
  });

  test('and how it compares where that is not by bytes: citext, and numeric that is exported as text', () => {
    const columns = { c: 'citext', n: 'numeric', t: 'text' };
    expect(written(columns, {}, ['c', 'n', 't'])).toEqual([
      ['c', 1, 'case'],
      ['n', 2, 'number'],
      ['t', 3],
    ]);
    expect(written(columns, {}, ['t'])).toEqual([['c'], ['n'], ['t', 1]]);
    const pinned = { columns: { n: { type: 'decimal(10,2)' } } } as Partial<TableSettings>;
    expect(written(columns, pinned, ['n'])).toContainEqual(['n', 1]);
  });
});

test('a key column has no policy that writes NULL: such a key would belong to no row', () => {
  const columns = { id: 'timestamptz', b: 'text' };
  expect(failure(() => plan(columns, { columns: { id: { on_unfit: 'null' } } }))).toMatchObject({
    code: 'CONFIG_INVALID',
    place: { column: 'id' },
  });
  expect(plan(columns, { columns: { id: { on_unfit: 'fail' }, b: { on_unfit: 'null' } } }).key).toEqual([0]);
});

describe('cursor', () => {
  test('updated_at when it is there and can be one; else a scan', () => {
    expect(plan({ id: 'int', updated_at: 'timestamp' }, { timezone: 'Asia/Tokyo' }).cursor).toEqual({
      ...{ column: 'updated_at', type: 'timestamp', notNull: false, timezone: 'Asia/Tokyo', index: 1 },
    });
    expect(plan({ id: 'int', updated_at: 'text' }).cursor).toBeNull();
    expect(plan({ id: 'int' }).cursor).toBeNull();
    expect(plan({ id: 'int', updated_at: 'date' }, { cursor: 'none' }).cursor).toBeNull();
  });

  test('one that is named must be there and be a time', () => {
    expect(plan({ id: 'int', d: 'date' }, { cursor: { column: 'd' } }).cursor).toMatchObject({
      type: 'date',
      index: 1,
    });
    expect(failure(() => plan({ id: 'int', d: 'text' }, { cursor: { column: 'd' } }))).toMatchObject({
      ...{ code: 'CURSOR_TYPE', place: { table: 'public.t', column: 'd' } },
    });
    expect(failure(() => plan({ id: 'int' }, { cursor: { column: 'd' } }))).toMatchObject({ code: 'COLUMN_UNKNOWN' });
  });
});

describe('columns', () => {
  test('excluded ones are gone, and the indexes of key and cursor follow', () => {
    const { columns, key, cursor } = plan(
      { a: 'int', id: 'int', b: 'bool', updated_at: 'date' },
      { exclude: ['a', 'b'] },
    );
    expect(columns.map(({ name }) => name)).toEqual(['id', 'updated_at']);
    expect([key, cursor?.index]).toEqual([[0], 1]);
  });

  test.each([[{ exclude: ['nope'] }], [{ columns: { nope: {} } }], [{ key: ['nope'] }]])(
    '%j names a column that is not there',
    (settings) => {
      expect(failure(() => plan({ id: 'int' }, settings))).toMatchObject({
        ...{ code: 'COLUMN_UNKNOWN', place: { table: 'public.t', column: 'nope' }, hint: 'the table has id' },
      });
    },
  );

  test.each([[{ exclude: ['id'] }], [{ exclude: ['updated_at'] }], [{ columns: { updated_at: { type: 'string' } } }]])(
    '%j would take key or cursor away',
    (settings) => {
      const columns = { id: 'int', updated_at: 'date' };
      expect(failure(() => plan(columns, settings))).toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );

  test('policy and shadow; a pin', () => {
    const settings = { columns: { d: { on_unfit: 'text' as const }, id: { type: 'long' } } };
    const { columns } = plan({ id: 'int', d: 'date' }, settings);
    expect(columns).toMatchObject([
      { name: 'id', lake: { kind: 'long' }, policy: 'fail', shadow: null },
      { name: 'd', policy: 'text', shadow: 'd__text' },
    ]);
    expect(failure(() => plan({ id: 'int', d: 'date' }, { columns: { d: { type: 'long' } } }))).toMatchObject({
      ...{ code: 'CONFIG_INVALID', place: { table: 'public.t', column: 'd' } },
    });
  });
});

describe('from run to run', () => {
  const change = (
    before: Record<string, string>,
    after: Record<string, string>,
    settings: Partial<TableSettings> = {},
  ) => checkSchemaChange(table(after), writtenColumns(plan(before)), plan(after, settings));

  test('added, dropped, renamed and widened columns go on; so does the first run', () => {
    change({ id: 'int' }, { id: 'int', a: 'text' });
    change({ id: 'int', a: 'text' }, { id: 'int' });
    change({ id: 'int', a: 'text' }, { id: 'int', b: 'text' });
    change({ id: 'int', a: 'int' }, { a: 'bigint', id: 'int' });
    checkSchemaChange(table({ id: 'int' }), null, plan({ id: 'int' }));
  });

  test('another type stops, with the pin that keeps it if there is one', () => {
    expect(failure(() => change({ id: 'int', a: 'bigint' }, { id: 'int', a: 'int' }))).toMatchObject({
      code: 'SCHEMA_CHANGED',
      message: 'the column was long in the lake and would be integer now',
      hint: 'pin it with columns.a.type: "long", or begin a new folder with another `as:` and one `export --full`',
    });
    expect(failure(() => change({ id: 'int', a: 'int' }, { id: 'int', a: 'text' }))).toMatchObject({
      hint: 'begin a new folder with another `as:` and one `export --full`',
    });
    change({ id: 'int', a: 'bigint' }, { id: 'int', a: 'int' }, { columns: { a: { type: 'long' } } });
  });

  test('a column whose name in the lake would move stops', () => {
    expect(failure(() => change({ id: 'int', A: 'int', a: 'int' }, { id: 'int', a: 'int' }))).toMatchObject({
      ...{ code: 'SCHEMA_CHANGED', message: 'the column was a_2 in the lake and would be a now' },
    });
  });
});
