import { expect, test } from 'vitest';
import { folderOf, parseName, unknownTable } from '../../../src/query/names.ts';
import { missingTable } from '../../../src/query/query-error.ts';

test.each([
  ['invoice', { kind: 'staged', name: 'invoice' }],
  ['invoice AS i', { kind: 'staged', name: 'invoice' }],
  ['invoice)', { kind: 'staged', name: 'invoice' }],
  ['main.invoice', { kind: 'staged', name: 'invoice' }],
  ['memory . main . invoice,', { kind: 'staged', name: 'invoice' }],
  ['raw.invoice r', { kind: 'raw', name: 'invoice' }],
  ['"RAW"."odd ""name"""', { kind: 'raw', name: 'odd "name"' }],
  ['größe_2', { kind: 'staged', name: 'größe_2' }],
  ['information_schema.tables', null],
  ["'file.csv'", null],
  ['', null],
])('%s', (sql, expected) => {
  expect(parseName(sql)).toEqual(expected);
});

test('what DuckDB misses is found at its place in the statement, which counts bytes', () => {
  const error = (position: string | undefined, name: string) =>
    new Error(
      JSON.stringify({ exception_type: 'Catalog', error_subtype: 'MISSING_ENTRY', type: 'Table', name, position }),
    );
  const sql = "SELECT 'é😀' FROM raw.invoice JOIN query_table('other')";
  const at = (text: string) => String(Buffer.from(sql).indexOf(text));
  expect(missingTable(error(at('raw.'), 'invoice'), sql)).toEqual({ kind: 'raw', name: 'invoice' });
  expect(missingTable(error(at('query_table'), 'other'), sql)).toEqual({ kind: 'staged', name: 'other' });
  expect(missingTable(error(undefined, 'other'), sql)).toEqual({ kind: 'staged', name: 'other' });
  expect(missingTable(error('0', 'nope'), 'information_schema.nope')).toBeNull();
  expect(missingTable(new Error('{"exception_type":"Binder","position":"7"}'), sql)).toBeNull();
  expect(missingTable(new Error('words'), sql)).toBeNull();
});

test('a folder in another case is meant when it is the only one', () => {
  expect(folderOf('Invoice', ['invoice', 'customer'])).toBe('invoice');
  expect(folderOf('invoice', ['invoice', 'Invoice'])).toBe('invoice');
  expect(folderOf('INVOICE', ['invoice', 'Invoice'])).toBeNull();
});

test('a long list of tables is cut', () => {
  const folders = Array.from({ length: 25 }, (_, i) => `table_${i}`);
  expect(unknownTable({ kind: 'raw', name: 'x' }, folders).hint).toMatch(
    /^there are raw.table_0, .*raw.table_19, and 5 more$/,
  );
});
