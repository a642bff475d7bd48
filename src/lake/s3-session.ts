/** One S3 client and how it is called. Invariant: every request has a limit, a budget of repeats, and names the bucket's owner. */

import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { TidemarkError } from '../model/error.ts';
import { attemptLimitMs, RETRY_LIMITS, RETRY_TOOLS, retry, within } from './retry.ts';
import { type S3Place, s3Error } from './s3-error.ts';
import { faultOf, verdictOf } from './s3-fault.ts';
import type { LakeOptions, RetryLimits, RetryTools, S3Settings } from './settings.ts';

/** What a call is for; `bytes` is what it moves, for its time limit. */
export type S3Call = { operation: string; permission: string; key?: string; bytes?: number };

export type S3Session = {
  readonly client: S3Client;
  readonly bucket: string;
  readonly settings: S3Settings;
  readonly limits: RetryLimits;
  readonly tools: RetryTools;
  /** A server that is not AWS, as far as one can tell: it may take a condition and ignore it. */
  readonly compatible: boolean;
  /** Bucket and its owner: part of every request's input. */
  readonly common: { Bucket: string; ExpectedBucketOwner?: string };
  /** Below the lake's prefix: the whole key of an object. */
  objectKey(key: string): string;
  /** The lake's key of an object; null for what is no file of the lake. */
  lakeKey(objectKey: string): string | null;
  /** One attempt, within its limit; errors as they come. */
  once<T>(call: S3Call, send: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Attempts within the budget; `send` gets the attempt's number (1, 2 …); errors are TidemarkErrors. */
  call<T>(call: S3Call, send: (signal: AbortSignal, attempt: number) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** The error of a call in the user's words; ours and aborts pass through. */
  error(error: unknown, call: S3Call, signal: AbortSignal): unknown;
};

const SOCKETS = 32;
const CONNECT_MS = 5_000;
const IDLE_MS = 30_000;

const nothing = () => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Makes the client; connects to nothing yet. Throws CONFIG_INVALID for an endpoint that is none. */
export function openSession(bucket: string, prefix: string, settings: S3Settings, options: LakeOptions): S3Session {
  const limits = { ...RETRY_LIMITS, ...options.retry };
  const tools = { ...RETRY_TOOLS, ...options.tools };
  const endpoint = endpointOf(settings);
  const client = clientOf(settings, endpoint);
  const root = prefix === '' ? '' : `${prefix}/`;
  let answered = false;

  const place = (call: S3Call): S3Place => ({ ...call, bucket, endpoint });
  const session: S3Session = {
    client,
    bucket,
    settings,
    limits,
    tools,
    compatible: [endpoint, process.env.AWS_ENDPOINT_URL, process.env.AWS_ENDPOINT_URL_S3].some(Boolean),
    common: {
      Bucket: bucket,
      ...(settings.expected_bucket_owner ? { ExpectedBucketOwner: settings.expected_bucket_owner } : {}),
    },
    objectKey: (key) => root + key,
    lakeKey: (objectKey) => {
      // Consoles make a "folder" of an empty object whose key ends in a slash.
      if (!objectKey.startsWith(root) || objectKey.endsWith('/')) return null;
      return objectKey.slice(root.length);
    },
    async once(call, send, signal) {
      const result = await within(attemptLimitMs(call.bytes ?? 0, limits), signal, send);
      answered = true;
      return result;
    },
    async call(call, send, signal) {
      const judge = (error: unknown) => {
        if (error instanceof TidemarkError) return { verdict: 'fail' as const, answered };
        const fault = faultOf(error);
        answered ||= fault.status !== undefined;
        return { verdict: verdictOf(fault), answered };
      };
      try {
        const attempt = (number: number) => session.once(call, (inner) => send(inner, number), signal);
        return await retry(attempt, judge, limits, tools, signal);
      } catch (error) {
        throw session.error(error, call, signal);
      }
    },
    error(error, call, signal) {
      if (signal.aborted) return signal.reason;
      return error instanceof TidemarkError ? error : s3Error(faultOf(error), place(call));
    },
  };
  return session;
}

function clientOf(settings: S3Settings, endpoint: string | undefined): S3Client {
  // Agents of our own: for bodies that wait for 100-continue the handler's own ones open a connection each.
  const agent = { keepAlive: true, maxSockets: SOCKETS, scheduling: 'lifo' as const };
  return new S3Client({
    ...(settings.region ? { region: settings.region } : {}),
    // Servers other than AWS have no regions, but the signature names one.
    ...(endpoint && !settings.region && !process.env.AWS_REGION ? { region: 'us-east-1' } : {}),
    ...(endpoint ? { endpoint } : {}),
    ...(settings.force_path_style === undefined ? {} : { forcePathStyle: settings.force_path_style }),
    ...(settings.checksums === 'none'
      ? { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
      : {}),
    // Without one the SDK warns on stderr of each failed request that had a stream for its body.
    logger: SILENT,
    // The budget of repeats is ours (retry.ts): two of them would multiply.
    maxAttempts: 1,
    // Bodies go out at once: some servers never answer 100-continue, and the handler then waits for seconds.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_MS,
      socketTimeout: IDLE_MS,
      httpAgent: new Agent(agent),
      httpsAgent: new TlsAgent(agent),
    }),
  });
}

function endpointOf(settings: S3Settings): string | undefined {
  if (settings.endpoint === undefined || settings.endpoint === '') return undefined;
  const url = URL.parse(settings.endpoint);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    const hint = 's3.endpoint: https://host:port, without credentials: they come from the AWS chain';
    throw new TidemarkError('CONFIG_INVALID', 's3.endpoint is not a plain http or https URL', { hint });
  }
  return settings.endpoint;
}
