import { expect, test } from 'vitest';
import { AttemptTimeout } from '../../../src/lake/retry.ts';
import { BrokenAnswer, faultOf, isMissing, verdictOf } from '../../../src/lake/s3-fault.ts';

const sdk = (name: string, status?: number) =>
  Object.assign(new Error(name), { name, ...(status ? { $metadata: { httpStatusCode: status } } : {}) });
const system = (code: string) => Object.assign(new Error(code), { code });

test.each([
  [sdk('SlowDown', 503), 'slow'],
  [sdk('TooManyRequests', 429), 'slow'],
  [sdk('InternalError', 500), 'retry'],
  [sdk('InternalError', 200), 'retry'],
  [sdk('UnknownError', 502), 'retry'],
  [sdk('RequestTimeout', 400), 'retry'],
  [sdk('RequestTimeTooSkewed', 403), 'retry'],
  [sdk('BadDigest', 400), 'retry'],
  [sdk('ConditionalRequestConflict', 409), 'retry'],
  [sdk('TimeoutError'), 'retry'],
  [system('ECONNRESET'), 'retry'],
  [system('EPIPE'), 'retry'],
  [system('HPE_INVALID_CONSTANT'), 'retry'],
  [new AttemptTimeout(1), 'retry'],
  [new BrokenAnswer('x'), 'retry'],
  [new Error('Checksum mismatch: expected "a" but received "b" in response header'), 'retry'],
  [system('ECONNREFUSED'), 'unreachable'],
  [system('ENOTFOUND'), 'unreachable'],
  [sdk('AccessDenied', 403), 'fail'],
  [sdk('NoSuchBucket', 404), 'fail'],
  [sdk('NoSuchUpload', 404), 'fail'],
  [sdk('PreconditionFailed', 412), 'fail'],
  [sdk('NotImplemented', 501), 'fail'],
  [sdk('InvalidPart', 400), 'fail'],
  [sdk('CredentialsProviderError'), 'fail'],
  [system('CERT_HAS_EXPIRED'), 'fail'],
  [new TypeError('a mistake of ours'), 'fail'],
  ['no error at all', 'fail'],
])('%s: %s', (error, verdict) => {
  expect(verdictOf(faultOf(error))).toBe(verdict);
});

test('a missing object is told from a missing bucket or upload', () => {
  expect(isMissing(faultOf(sdk('NotFound', 404)))).toBe(true);
  expect(isMissing(faultOf(sdk('NoSuchKey', 404)))).toBe(true);
  expect(isMissing(faultOf(sdk('NoSuchBucket', 404)))).toBe(false);
  expect(isMissing(faultOf(sdk('NoSuchUpload', 404)))).toBe(false);
});
