import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TableEntry } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { type KnownTable, resolveTables } from '../../../src/config/resolve-tables.ts';
import { selectTables } from '../../../src/config/select-tables.ts';
import { displayName } from '../../../src/model/table.ts';
import { matches, parsePattern, splitNames } from '../../../src/model/table-pattern.ts';

const { defaults } = parseConfig('source: { url: "postgres://h/d" }\nlake: file:./lake', {
  file: '/t.yaml',
  shown: 't.yaml',
  env: {},
});

const known = (...names: string[]): KnownTable[] =>
  names.map((name) => {
    const [schema, table] = name.includes('/') ? name.split('/') : ['public', name];
    return { name: { schema, table }, columns: ['id', 'updated_at'] };
  });

const resolve = (tables: TableEntry[], names: KnownTable[]) => resolveTables({ tables, defaults }, names);
const named = (tables: TableEntry[], names: KnownTable[]) =>
  resolve(tables, names).map(({ name }) => displayName(name));

test('a pattern stands for tables of its schema', () => {
  const all = known('a', 'b', 'app/invoice', 'app/inventory', 'app/x');
  expect(named([{ table: 'public.*' }], all)).toEqual(['public.a', 'public.b']);
  expect(named([{ table: '*' }], all)).toEqual(['public.a', 'public.b']);
  expect(named([{ table: 'app.inv*' }], all)).toEqual(['app.inventory', 'app.invoice']);
  expect(named([{ table: '*.*' }], all)).toHaveLength(5);
  expect(named([{ table: 'app."inv*"' }], known('app/inv*', 'app/inv1'))).toEqual(['app."inv*"']);
});

test('a table’s entry wins over patterns, a longer pattern over a shorter one, whatever their order', () => {
  const entries: TableEntry[] = [
    { table: 'invoice', late: 1 },
    { table: 'inv*', late: 2, margin: 2, merge: 'vectors' },
    { table: 'public.*', late: 3, margin: 3, file_size: 3 },
  ];
  for (const order of [entries, entries.toReversed()]) {
    const [inventory, invoice, other] = resolve(order, known('invoice', 'inventory', 'other'));
    expect(invoice).toMatchObject({ lateMs: 1, marginMs: 2, fileBytes: 3, merge: 'vectors' });
    expect(inventory).toMatchObject({ lateMs: 2, marginMs: 2, fileBytes: 3 });
    expect(other).toMatchObject({ lateMs: 3, marginMs: 3, fileBytes: 3, leaseMs: defaults.leaseMs, merge: 'rewrite' });
  }
});

test('the strongest entry says whether a table is skipped', () => {
  const names = known('a', 'tmp_1', 'tmp_2');
  expect(named([{ table: 'public.*' }, { table: 'tmp_*', skip: true }], names)).toEqual(['public.a']);
  expect(named([{ table: 'public.*', skip: true }, { table: 'a' }], names)).toEqual(['public.a']);
  expect(named([{ table: 'public.*' }, { table: 'gone', skip: true }], names)).toHaveLength(3);
});

test('what a pattern says of columns counts where the table has them; an entry is taken by its word', () => {
  const entry = {
    key: ['id', 'x'],
    cursor: 'changed',
    exclude: ['updated_at', 'password'],
    columns: { id: { type: 'string' }, y: { type: 'string' } },
  };
  const [pattern] = resolve([{ table: 'public.*', ...entry }], known('a'));
  expect(pattern).toMatchObject({
    key: 'default',
    cursor: 'default',
    exclude: ['updated_at'],
    columns: { id: { type: 'string' } },
  });
  expect(Object.keys(pattern.columns)).toEqual(['id']);
  const [own] = resolve([{ table: 'a', ...entry }], known('a'));
  expect(own).toMatchObject({ key: ['id', 'x'], cursor: { column: 'changed' }, exclude: ['updated_at', 'password'] });
});

test('none is no column', () => {
  expect(resolve([{ table: 'a', key: 'none', cursor: 'none' }], known('a'))[0]).toMatchObject({
    key: 'none',
    cursor: 'none',
  });
});

test('a name alone is the table in public, or the only one', () => {
  expect(named([{ table: 't' }], known('t', 'app/t'))).toEqual(['public.t']);
  expect(named([{ table: 't' }], known('u', 'app/t'))).toEqual(['app.t']);
  expect(() => named([{ table: 't' }], known('app/t', 'web/t'))).toThrow(
    expect.objectContaining({ code: 'TABLE_AMBIGUOUS', message: 't may be app.t or web.t' }),
  );
});

test('names as SQL folds them, and as they are', () => {
  expect(named([{ table: 'Invoice' }], known('invoice'))).toEqual(['public.invoice']);
  expect(named([{ table: 'Invoice', as: 'i' }], known('invoice', 'Invoice'))).toEqual(['public."Invoice"']);
  expect(() => named([{ table: '"Invoice"' }], known('invoice'))).toThrow(
    expect.objectContaining({ code: 'TABLE_UNKNOWN' }),
  );
});

test('an unknown table comes with the nearest ones', () => {
  expect(() => named([{ table: 'invioce' }], known('invoice', 'app/invoices', 'zebra'))).toThrow(
    expect.objectContaining({ code: 'TABLE_UNKNOWN', hint: 'did you mean public.invoice?' }),
  );
});

test('two entries for one table are refused', () => {
  expect(() => named([{ table: 'a' }, { table: 'public.A' }], known('a'))).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});

test('folders: the table in public, schema before it elsewhere, odd characters replaced', () => {
  const folders = (...names: string[]) => resolve([{ table: '*.*' }], known(...names)).map(({ folder }) => folder);
  expect(folders('app/t', 'My Table', 'emoji😀', '..', 'a.b-c_D')).toEqual([
    'app_t',
    '__',
    'My_Table',
    'a.b-c_D',
    'emoji_',
  ]);
  expect(resolve([{ table: 'app.t', as: 'x' }], known('app/t'))[0].folder).toBe('x');
});

test('two tables with one folder are refused, also where only case tells them apart', () => {
  const clash =
    (tables: TableEntry[], ...names: string[]) =>
    () =>
      resolve(tables, known(...names));
  const error = expect.objectContaining({ code: 'FOLDER_CLASH', hint: expect.stringContaining('as:') });
  expect(clash([{ table: '*.*' }], 'app_t', 'app/t')).toThrow(error);
  expect(clash([{ table: '*.*' }], 'Invoice', 'invoice')).toThrow(error);
  expect(clash([{ table: '*.*' }, { table: 'app.t', skip: true }], 'app_t', 'app/t')).not.toThrow();
  expect(clash([{ table: '*.*' }, { table: 'app.t', as: 'other' }], 'app_t', 'app/t')).not.toThrow();
});

test('any name is found by what displayName makes of it, and alone matches its quoted pattern', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' });
  fc.assert(
    fc.property(name, name, name, (schema, table, other) => {
      const written = displayName({ schema, table });
      const [pattern] = splitNames(written);
      expect([pattern.schema?.text, pattern.table.text]).toEqual([schema, table]);
      expect(matches(parsePattern(written), { schema, table: other })).toBe(other === table);
    }),
  );
});

test('--table: repeated, with commas, quoted, each once', () => {
  const all = known('a', 'b', 'My Table', 'Odd,Name', 'app/t');
  const configured = resolve([{ table: '*.*' }, { table: 'b', skip: true }], all);
  const select = (...wanted: string[]) => selectTables(wanted, configured, all).map(({ name }) => displayName(name));
  expect(select('a,app.t', 'a', '"Odd,Name"')).toEqual(['public.a', 'app.t', 'public."Odd,Name"']);
  expect(select('My Table')).toEqual(['public."My Table"']);
  expect(() => select('b')).toThrow(
    expect.objectContaining({ code: 'TABLE_UNKNOWN', message: expect.stringContaining('leaves it out') }),
  );
  expect(() => select('aa')).toThrow(
    expect.objectContaining({ code: 'TABLE_UNKNOWN', hint: 'did you mean public.a?' }),
  );
  for (const wrong of ['', 'a,', 'a.b.c', '"a', 'a..b'])
    expect(() => select(wrong)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
