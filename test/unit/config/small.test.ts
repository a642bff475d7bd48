// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own syntax.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distance, nearest } from '../../../src/config/nearest.ts';
import { redact, secretsOf } from '../../../src/config/redact.ts';
import { mask, unmask } from '../../../src/config/substitute.ts';
import { DURATION, parseDuration, parseSize, SIZE } from '../../../src/config/units.ts';

test.each([
  ['128MB', 134_217_728],
  ['1 GiB', 1_073_741_824],
  ['1.5kB', 1536],
  ['0B', 0],
])('%s is %d bytes', (text, bytes) => {
  expect(text).toMatch(SIZE);
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['7d', 604_800_000],
])('%s is %d milliseconds', (text, ms) => {
  expect(text).toMatch(DURATION);
  expect(parseDuration(text)).toBe(ms);
});

test.each(['128', 'MB', '1XB', '-1MB', '1MBs'])('%s is no size', (text) => expect(text).not.toMatch(SIZE));
test.each(['30', 'm', '1 h', '-1s', '1y'])('%s is no duration', (text) => expect(text).not.toMatch(DURATION));

test('distances, with neighbours swapped as one step', () => {
  expect(distance('cursor', 'cursor')).toBe(0);
  expect(distance('cusror', 'cursor')).toBe(1);
  expect(distance('', 'abc')).toBe(3);
  expect(nearest('tabel', ['label', 'table', 'zzz'], 2)).toEqual(['label', 'table']);
  expect(nearest('qqqqq', ['table'])).toEqual([]);
});

describe('redact', () => {
  test.each([
    ['cannot reach postgres://u:topsecret@h/d now', 'cannot reach postgres://u:***@h/d now'],
    ['postgres://u:top/topsecret@x@h/d', 'postgres://u:***@h/d'],
    ['postgres://h/d?password=topsecret&x=1', 'postgres://h/d?password=***&x=1'],
    ['s3://bucket/a@b and postgres://u@h/d', 's3://bucket/a@b and postgres://u@h/d'],
  ])('%s', (text, expected) => expect(redact(text)).toBe(expected));

  test('any password of a URL is hidden, as written and as meant', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 30 }), (password) => {
        const secrets = secretsOf(`postgres://u:${encodeURIComponent(password)}@h/d`);
        expect(redact(`<${password}>`, secrets)).toBe('<***>');
      }),
    );
  });
});

test('masking keeps length and lines, and comes undone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('${A}', '${B:-x: #y,[]}', '$${C}', 'text', '\n', '{', '}', ': ', '${')),
      (parts) => {
        const text = parts.join('');
        expect(mask(text)).toHaveLength(text.length);
        expect(unmask(mask(text))).toBe(text);
      },
    ),
  );
});
