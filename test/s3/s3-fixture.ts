/** A lake over a test server of its own, with time that a test decides. */

import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import type { RetryLimits, S3Settings } from '../../src/lake/settings.ts';
import type { S3FaultAction } from '../support/s3-faults.ts';
import { type S3Server, type S3ServerOptions, startS3Server } from '../support/s3-server.ts';

export const PART = 64 * 1024;
export const never = new AbortController().signal;
export const ours = { run: 7n, token: 3n };

export type Fixture = AsyncDisposable & {
  server: S3Server;
  lake: Lake;
  /** Milliseconds that the retries asked to sleep. */
  sleeps: number[];
  open(settings?: Partial<S3Settings>): Promise<Lake>;
};

/** Limits of a test that lets a request hang: it is given up after a second. Others have time, on a machine with other work too. */
export const limitsFor = ({ kind }: S3FaultAction): Partial<RetryLimits> =>
  kind === 'hang' || kind === 'stall' ? { attemptMs: 1_000 } : {};

/** Sleeps of retries take no time, and are written down. */
export async function s3Fixture(options: S3ServerOptions = {}, limits: Partial<RetryLimits> = {}): Promise<Fixture> {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testtest' });
  const server = await startS3Server(options);
  const sleeps: number[] = [];
  const lakes: Lake[] = [];
  const sleep = async (ms: number) => void sleeps.push(ms);
  const open = async (settings: Partial<S3Settings> = {}) => {
    const s3 = { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true, part_size: PART, ...settings };
    const lake = await openLake({ url: 's3://lake/pre', baseDir: '/', s3 }, { retry: limits, tools: { sleep } });
    lakes.push(lake);
    return lake;
  };
  return {
    server,
    lake: await open(),
    sleeps,
    open,
    async [Symbol.asyncDispose]() {
      for (const lake of lakes) await lake[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
