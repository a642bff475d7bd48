import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyOfTemporary, pathOf, temporaryId, temporaryPath } from '../../../src/lake/local-names.ts';

test.each([
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/..',
  'a/./b',
  'a\0b',
  '_uploads/a',
  '_uploads',
])('the key %j leads nowhere', (key) => {
  expect(() => pathOf('/lake', key)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});

test('any other key is a path below the root', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }), (parts) => {
      const key = parts.join('/');
      let path: string;
      try {
        path = pathOf('/lake', key);
      } catch {
        return;
      }
      expect(path).toBe(`/lake/${key}`);
    }),
  );
});

test('a temporary name gives its key back, and says whose it is', () => {
  const id = temporaryId('raw/t/a.parquet', { run: 7n, token: 3n });
  expect(id).toMatch(/^_uploads\/raw\/t\/a\.parquet\.run-7\.token-3\.[0-9a-f]{12}\.tmp$/);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (key) => {
      expect(keyOfTemporary(temporaryId(key, { run: 1n, token: 2n }))).toBe(key);
      expect(keyOfTemporary(temporaryId(key, null))).toBe(key);
    }),
  );
});

test('two temporary files of one key have two names', () => {
  const names = new Set(Array.from({ length: 100 }, () => temporaryId('k', { run: 1n, token: 1n })));
  expect(names.size).toBe(100);
});

test.each([
  'raw/a',
  '_uploads/a',
  '_uploads/../../etc/passwd',
  '_uploads/../a.run-1.token-1.0123456789ab.tmp',
  '/etc/passwd',
])('the upload id %j is not followed', (id) => {
  expect(() => temporaryPath('/lake', id)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});
