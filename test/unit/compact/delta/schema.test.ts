import { expect, test } from 'vitest';
import type { DeltaColumn } from '../../../../src/compact/delta/actions.ts';
import { logRetentionMs, tombstoneMs } from '../../../../src/compact/delta/durations.ts';
import { parseSchema, schemaText } from '../../../../src/compact/delta/schema.ts';
import { METADATA } from '../../../compact/delta-support.ts';

test("columns are Spark's struct, and come back", () => {
  const columns: DeltaColumn[] = [
    { name: 'id "x"', type: 'long', nullable: false, metadata: {} },
    { name: 'ünï', type: 'decimal(10,2)', nullable: true, metadata: { comment: 'money' } },
    {
      name: 'list',
      type: {
        type: 'array',
        elementType: { type: 'array', elementType: 'string', containsNull: true },
        containsNull: false,
      },
      nullable: true,
      metadata: {},
    },
  ];
  const text = schemaText(columns);
  expect(
    text.startsWith('{"type":"struct","fields":[{"name":"id \\"x\\"","type":"long","nullable":false,"metadata":{}}'),
  ).toBe(true);
  expect(parseSchema(text)).toEqual(columns);
});

test('a decimal is the same type with and without a blank', () => {
  const text = '{"type":"struct","fields":[{"name":"a","type":"decimal(10, 2)","nullable":true}]}';
  expect(parseSchema(text)).toEqual([{ name: 'a', type: 'decimal(10,2)', nullable: true, metadata: {} }]);
});

test.each(['struct', 'map'])('a %s is refused by its name', (type) => {
  const text = JSON.stringify({
    type: 'struct',
    fields: [{ name: 'odd', type: { type }, nullable: true, metadata: {} }],
  });
  expect(() => parseSchema(text)).toThrow(
    expect.objectContaining({ code: 'STAGED_UNSUPPORTED', place: expect.objectContaining({ column: 'odd' }) }),
  );
});

test.each([
  [undefined, 7 * 86_400_000],
  ['interval 30 days', 30 * 86_400_000],
  ['interval 1 week', 7 * 86_400_000],
  ['168 HOURS', 7 * 86_400_000],
  ['interval 1 day 12 hours', 36 * 3_600_000],
  ['interval 0 seconds', 0],
  ['as long as you like', 7 * 86_400_000],
  ['interval 5', 7 * 86_400_000],
])('removed files are remembered for %s', (text, ms) => {
  const configuration: Record<string, string> =
    text === undefined ? {} : { 'delta.deletedFileRetentionDuration': text };
  expect(tombstoneMs({ ...METADATA, configuration })).toBe(ms);
  expect(logRetentionMs({ ...METADATA, configuration })).toBe(30 * 86_400_000);
});
