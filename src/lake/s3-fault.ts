/** What an S3 call's failure means. Invariant: only what is known to help is tried again; the judgement is pure. */

import { AttemptTimeout, type Verdict } from './retry.ts';

/** The parts of a failure that decide; never headers or signatures. `status` is absent when no answer came. */
export type S3Fault = {
  /** S3's code (`SlowDown`), the system's (`ECONNRESET`), or the error's name. */
  code: string;
  status?: number;
  requestId?: string;
  region?: string;
  message: string;
};

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);
const LOST = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'TimeoutError',
  'AttemptTimeout',
  'BrokenAnswer',
]);
const SLOW = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TooManyRequests',
  'SlowDownRead',
  'SlowDownWrite',
]);
const REPEATABLE = new Set([
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'ConditionalRequestConflict',
  'OperationAborted',
  'InternalError',
  'ServiceUnavailable',
]);

/** An answer that says 200 and cannot be right: too few bytes, no ETag. */
export class BrokenAnswer extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'BrokenAnswer';
  }
}

type SdkError = Error & {
  Code?: string;
  code?: string;
  Region?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { statusCode?: number; headers?: Record<string, string> };
};

/** Reads an SDK, network or own error. */
export function faultOf(error: unknown): S3Fault {
  if (!(error instanceof Error)) return { code: 'Unknown', message: String(error) };
  const e = error as SdkError;
  const status = e.$metadata?.httpStatusCode ?? e.$response?.statusCode;
  const headers = e.$response?.headers ?? {};
  return {
    code: codeOf(e, status),
    ...(status === undefined ? {} : { status }),
    ...(e.$metadata?.requestId ? { requestId: e.$metadata.requestId } : {}),
    ...(headers['x-amz-bucket-region'] || e.Region ? { region: headers['x-amz-bucket-region'] ?? e.Region } : {}),
    message: e.message,
  };
}

function codeOf(e: SdkError, status: number | undefined): string {
  if (e instanceof AttemptTimeout) return 'AttemptTimeout';
  // The body's checksum is compared by the SDK while we read it; it throws a plain Error.
  if (/^Checksum mismatch/.test(e.message)) return 'BrokenAnswer';
  if (typeof e.code === 'string' && status === undefined) return e.code.startsWith('HPE_') ? 'BrokenAnswer' : e.code;
  // An answer without a body (HEAD) has no code; an unreadable one (a proxy's HTML) breaks the SDK's parser.
  const name = e.Code ?? e.name;
  return ['Error', 'SyntaxError', 'TypeError', 'UnknownError', 'Unknown'].includes(name) && status !== undefined
    ? `HTTP ${status}`
    : name;
}

/** Whether to try again, and how soon. */
export function verdictOf(fault: S3Fault): Verdict {
  if (SLOW.has(fault.code) || fault.status === 429) return 'slow';
  if (UNREACHABLE.has(fault.code)) return 'unreachable';
  if (LOST.has(fault.code) || REPEATABLE.has(fault.code)) return 'retry';
  if (fault.code === 'NotImplemented') return 'fail';
  if (fault.status !== undefined && (fault.status >= 500 || fault.status === 408)) return 'retry';
  // 200 with an answer that the SDK cannot read: cut off on its way.
  return fault.code === 'HTTP 200' ? 'retry' : 'fail';
}

/** 412: the condition of a conditional write was not met. */
export function isConditionUnmet(fault: S3Fault): boolean {
  return fault.code === 'PreconditionFailed' || fault.status === 412;
}

/** The server knows no such request, or not with this header. */
export function isUnknownToServer(fault: S3Fault): boolean {
  return fault.code === 'NotImplemented' || fault.status === 501;
}

export function isMissing(fault: S3Fault): boolean {
  return (
    fault.code === 'NoSuchKey' || fault.code === 'NotFound' || (fault.status === 404 && !/^NoSuch/.test(fault.code))
  );
}
