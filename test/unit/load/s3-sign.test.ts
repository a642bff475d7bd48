import { expect, test } from 'vitest';
import { createSigner, keyPath } from '../../../src/load/s3-sign.ts';

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

test('the example of the AWS documentation (GET Object)', () => {
  const get = { path: '/test.txt', headers: { host: 'examplebucket.s3.amazonaws.com', range: 'bytes=0-9' } };
  const signed = createSigner('us-east-1')(get, CREDENTIALS, Date.parse('2013-05-24T00:00:00Z'));
  expect(signed.authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
});

test('another day, secret or token signs otherwise; the first again as before', () => {
  const sign = createSigner('us-east-1');
  const get = { path: '/a', headers: { host: 'h' } };
  const of = (day: string, more = {}) => sign(get, { ...CREDENTIALS, ...more }, Date.parse(day)).authorization;
  const first = of('2026-11-21');
  expect(
    new Set([
      first,
      of('2026-11-22'),
      of('2026-11-21', { secretAccessKey: 'x' }),
      of('2026-11-21', { sessionToken: 't' }),
    ]).size,
  ).toBe(4);
  expect(of('2026-11-21')).toBe(first);
});

test('keys in a path', () => {
  expect(keyPath("a b/ü+(1)!*'~-_.gz//x?#%")).toBe('a%20b/%C3%BC%2B%281%29%21%2A%27~-_.gz//x%3F%23%25');
});
