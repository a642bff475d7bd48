import { expect, test } from 'vitest';
import { mergeColumns, widerType } from '../../../src/compact/columns.ts';
import type { DeltaColumn, DeltaType } from '../../../src/compact/delta/actions.ts';

const columns = (types: Record<string, DeltaType>): DeltaColumn[] =>
  Object.entries(types).map(([name, type]) => ({ name, type, nullable: true, metadata: {} }));
const typesOf = (found: DeltaColumn[]) => Object.fromEntries(found.map(({ name, type }) => [name, type]));

test('a first batch brings its columns in their order', () => {
  const found = columns({ b: 'string', a: 'long' });
  expect(mergeColumns(null, found, null)).toEqual({ columns: found, changed: true, rewrite: [] });
});

test('a new column comes last, one that the source has no more stays', () => {
  const result = mergeColumns(columns({ a: 'long', b: 'string' }), columns({ c: 'date', a: 'long' }), null);
  expect(result.columns.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(result).toMatchObject({ changed: true, rewrite: [] });
});

test('a dropped column goes where it is asked for, and its files are written again', () => {
  const result = mergeColumns(columns({ a: 'long', b: 'string' }), columns({ a: 'long', x: 'date' }), new Set(['a']));
  expect(result).toMatchObject({ columns: [{ name: 'a' }], rewrite: ['b'] });
});

test('names that differ by case alone are one column, under its first name', () => {
  const result = mergeColumns(columns({ Total: 'integer' }), columns({ TOTAL: 'long' }), null);
  expect(typesOf(result.columns)).toEqual({ Total: 'long' });
  expect(result.rewrite).toEqual(['Total']);
});

test('nothing has changed where all is as it was, or narrower in an older file', () => {
  expect(mergeColumns(columns({ a: 'long' }), columns({ a: 'integer' }), null)).toMatchObject({
    changed: false,
    rewrite: [],
  });
});

test.each<[DeltaType, DeltaType, DeltaType | null]>([
  ['short', 'integer', 'integer'],
  ['integer', 'long', 'long'],
  ['float', 'double', 'double'],
  ['decimal(10,2)', 'decimal(12,2)', 'decimal(12,2)'],
  ['decimal(10,2)', 'decimal(12,3)', null],
  ['integer', 'double', null],
  ['integer', 'string', null],
  ['timestamp', 'timestamp_ntz', null],
  ['long', { type: 'array', elementType: 'long', containsNull: true }, null],
])('%j and %j become %j, in either order', (a, b, wider) => {
  expect(widerType(a, b)).toEqual(wider);
  expect(widerType(b, a)).toEqual(wider);
});

test('arrays widen by their elements', () => {
  const array = (elementType: DeltaType) => ({ type: 'array' as const, elementType, containsNull: true });
  expect(widerType(array('integer'), array('long'))).toEqual(array('long'));
  expect(widerType(array('integer'), array('string'))).toBeNull();
});

test('a type that cannot follow stops the table and names the column', () => {
  const merge = () => mergeColumns(columns({ a: 'long' }), columns({ a: 'string' }), null);
  expect(merge).toThrow(
    expect.objectContaining({ code: 'SCHEMA_CHANGED', place: expect.objectContaining({ column: 'a' }) }),
  );
});
