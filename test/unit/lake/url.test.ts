import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { parseLakeUrl } from '../../../src/lake/url.ts';

test.each([
  ['file:./lake', '/etc/tm/lake'],
  ['file:lake', '/etc/tm/lake'],
  ['file:../lake/', '/etc/lake'],
  ['file:/lake', '/lake'],
  ['file:///lake/a b%20c', '/lake/a b%20c'],
])('%s is the folder %s, seen from /etc/tm', (url, root) => {
  expect(parseLakeUrl(url, '/etc/tm')).toEqual({ kind: 'file', root });
});

test.each([
  ['s3://bucket', 'bucket', ''],
  ['s3://bucket/', 'bucket', ''],
  ['s3://my.bucket-1/a/b', 'my.bucket-1', 'a/b'],
  ['s3://bucket//a///b/', 'bucket', 'a/b'],
])('%s is the prefix below the bucket', (url, bucket, prefix) => {
  expect(parseLakeUrl(url, '/')).toEqual({ kind: 's3', bucket, prefix });
});

test.each([
  '',
  'lake',
  '/lake',
  'https://bucket.s3.amazonaws.com',
  's3:bucket',
  's3://',
  's3:///prefix',
  's3://b',
  's3://bucket/../x',
  's3://bucket/a?b',
  'file:',
  'file://host/lake',
  'S3://bucket',
  'file:a\0b',
])('%j is refused', (url) => {
  expect(() => parseLakeUrl(url, '/')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

test('credentials in the URL are refused and not repeated', () => {
  let caught: unknown;
  try {
    parseLakeUrl('s3://AKIA1:hunter2@bucket/prefix', '/');
  } catch (error) {
    caught = error;
  }
  expect(caught).toMatchObject({ code: 'CONFIG_INVALID', hint: expect.stringContaining('AWS chain') });
  expect(inspect(caught)).not.toMatch(/hunter2|AKIA1/);
});
