import { expect, test } from 'vitest';
import { deltaTypeOf, duckTypeOf } from '../../../src/compact/types.ts';

const list = (elementType: unknown) => ({ type: 'array', elementType, containsNull: true });

test.each([
  ['BOOLEAN', 'boolean'],
  ['TINYINT', 'byte'],
  ['SMALLINT', 'short'],
  ['INTEGER', 'integer'],
  ['BIGINT', 'long'],
  ['FLOAT', 'float'],
  ['DOUBLE', 'double'],
  ['VARCHAR', 'string'],
  ['BLOB', 'binary'],
  ['DATE', 'date'],
  ['TIMESTAMP WITH TIME ZONE', 'timestamp'],
  ['DECIMAL(38,0)', 'decimal(38,0)'],
  ['VARCHAR[]', list('string')],
  ['DECIMAL(10,2)[]', list('decimal(10,2)')],
])('%s is %j', (duck, delta) => {
  expect(deltaTypeOf(duck)).toEqual(delta);
  expect(duckTypeOf(deltaTypeOf(duck))).toBe(duck);
});

test('a wall clock is read as UTC unless the table keeps wall clocks', () => {
  expect(deltaTypeOf('TIMESTAMP')).toBe('timestamp');
  expect(deltaTypeOf('TIMESTAMP[]', { ntz: true })).toEqual(list('timestamp_ntz'));
  expect(duckTypeOf('timestamp_ntz')).toBe('TIMESTAMP');
});

test.each(['HUGEINT', 'TIME', 'STRUCT(a INTEGER)', 'MAP(VARCHAR, VARCHAR)', 'toString'])('%s has no place', (type) => {
  expect(() => deltaTypeOf(type)).toThrow(expect.objectContaining({ code: 'STAGED_UNSUPPORTED' }));
  expect(() => duckTypeOf(type)).toThrow(expect.objectContaining({ code: 'STAGED_UNSUPPORTED' }));
});
