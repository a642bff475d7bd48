/** S3's errors in the user's words. Invariant: no credential, signature or request header gets into an error or its cause. */

import { TidemarkError } from '../model/error.ts';
import { isMissing, type S3Fault } from './s3-fault.ts';

/** Which call failed, on what; `permission` is the IAM action it needs. */
export type S3Place = { operation: string; permission: string; bucket: string; endpoint?: string; key?: string };

const CHAIN =
  'credentials come from the AWS chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, a web identity, or the role of the machine';
const BAD_CREDENTIALS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'ExpiredTokenException',
]);
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError', 'ProviderError']);
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'TimeoutError',
]);
const FULL = new Set(['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'InsufficientStorage']);
const WRONG_REGION = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);

/** The error for a call whose attempts are used up. */
export function s3Error(fault: S3Fault, at: S3Place): TidemarkError {
  const where = { key: at.key, cause: causeOf(fault) };
  const make = (code: ConstructorParameters<typeof TidemarkError>[0], message: string, hint?: string) =>
    new TidemarkError(code, message, { ...where, hint });
  const server = at.endpoint ?? 'AWS';

  if (fault.code === 'NoSuchBucket') {
    const hint = 'create it, or correct `lake:`, `s3.region` and `s3.endpoint`; tidemark never creates buckets';
    return make('LAKE_BUCKET_MISSING', `there is no bucket ${at.bucket} at ${server}`, hint);
  }
  if (NO_CREDENTIALS.has(fault.code)) return make('LAKE_DENIED', `no credentials for ${server}`, CHAIN);
  if (BAD_CREDENTIALS.has(fault.code))
    return make('LAKE_DENIED', `${server} refuses the credentials (${fault.code})`, CHAIN);
  if (WRONG_REGION.has(fault.code) || fault.status === 301) {
    const hint = fault.region ? `s3.region: ${fault.region}` : `set s3.region to the bucket's`;
    return make('CONFIG_INVALID', `bucket ${at.bucket} is in another region`, hint);
  }
  if (/^Region is missing/.test(fault.message)) {
    return make('CONFIG_INVALID', 'the region of the bucket is not known', 'set s3.region, or AWS_REGION');
  }
  if (fault.status === 401 || fault.status === 403) {
    const hint = `grant ${at.permission} on ${at.bucket}; also kms:GenerateDataKey and kms:Decrypt where a KMS key encrypts, and compare s3.expected_bucket_owner`;
    return make('LAKE_DENIED', `${server} denies ${at.operation} (${fault.code}${idOf(fault)})`, hint);
  }
  if (UNREACHABLE.has(fault.code) || isTls(fault.code)) {
    const hint = at.endpoint
      ? 'check s3.endpoint, its port, the network and its certificate'
      : 'check the network, the proxy and s3.region';
    return make('LAKE_UNREACHABLE', `no connection to ${server} (${fault.code})`, hint);
  }
  if (FULL.has(fault.code) || fault.status === 507) {
    return make(
      'LAKE_FULL',
      `${server} has no room left (${fault.code})`,
      'raise the quota or free space; the next run repeats what failed',
    );
  }
  if (at.operation === 'GetObject' && isMissing(fault)) return make('LAKE_NOT_FOUND', 'no such file in the lake');
  const status = fault.status === undefined ? '' : `, HTTP ${fault.status}`;
  return make('LAKE_FAILED', `${at.operation} failed at ${server}: ${fault.code}${status}${idOf(fault)}`);
}

function isTls(code: string): boolean {
  return /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|EPROTO$)/.test(code);
}

function idOf(fault: S3Fault): string {
  return fault.requestId === undefined ? '' : `, request ${fault.requestId}`;
}

/**
 * A cause of our own: the SDK's error carries what the server sent back, and for a wrong signature that is the request's
 * canonical form with its session token. A failed credential_process prints its command line.
 */
function causeOf(fault: S3Fault): Error {
  const message =
    NO_CREDENTIALS.has(fault.code) && /command/i.test(fault.message) ? 'a credential process failed' : fault.message;
  const cause = new Error(message);
  cause.name = fault.code;
  return cause;
}
