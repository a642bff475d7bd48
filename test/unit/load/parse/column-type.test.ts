import { expect, test } from 'vitest';
import { columnType } from '../../../../src/load/parse/types/column-type.ts';

test.each([
  ['int', { base: 'int4' }],
  [' BIGINT ', { base: 'int8' }],
  ['double  precision', { base: 'float8' }],
  ['float(24)', { base: 'float4' }],
  ['float(25)', { base: 'float8' }],
  ['numeric', { base: 'numeric', digits: null, scale: 0 }],
  ['numeric(12)', { base: 'numeric', digits: 12, scale: 0 }],
  ['Decimal( 12 , 2 )', { base: 'numeric', digits: 12, scale: 2 }],
  ['numeric(3,-2)', { base: 'numeric', digits: 3, scale: -2 }],
  ['varchar(20)', { base: 'text', characters: 20 }],
  ['character varying (20)', { base: 'text', characters: 20 }],
  ['char', { base: 'text', characters: 1 }],
  ['char(3)', { base: 'text', characters: 3 }],
  ['text', { base: 'text', characters: null }],
  ['timestamp(3) with time zone', { base: 'timestamptz' }],
  ['timestamptz(3)', { base: 'timestamptz' }],
  ['timestamp', { base: 'timestamp' }],
  ['text[]', { base: 'array', element: { base: 'text', characters: null } }],
  ['numeric(4,1)[][]', { base: 'array', element: { base: 'numeric', digits: 4, scale: 1 } }],
  ['integer array[3]', { base: 'array', element: { base: 'int4' } }],
  ['mood', { base: 'other' }],
  ['constructor', { base: 'other' }],
  ['public.geometry(Point,4326)', { base: 'other' }],
])('%s', (written, type) => {
  expect(columnType(written)).toEqual(type);
});
