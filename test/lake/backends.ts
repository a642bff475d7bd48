/** The lakes that the contract's suite runs on. Invariant: every lake is new and empty, and gone at the end. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import { startS3Server } from '../support/s3-server.ts';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS } from '../support/versitygw.ts';

/** `reopen` gives another Lake over the same place, as another process has it. */
export type Place = AsyncDisposable & { lake: Lake; reopen(): Promise<Lake> };

/** `anyKey`: takes any text as a key; else only what a file system's path can be. `partSize`: bytes of an upload's part. */
export type Backend = { name: string; open: (() => Promise<Place>) | null; anyKey: boolean; partSize: number };

// Small parts make many of them out of few bytes, where the server does not insist on 5 MiB as AWS does.
const SMALL_PART = 64 * 1024;
const LEAST_PART = 5 * 1024 * 1024;

const folder: Backend = {
  name: 'a folder',
  anyKey: false,
  partSize: SMALL_PART,
  async open() {
    const base = await mkdtemp(join(tmpdir(), 'tidemark-lake-'));
    const reopen = () => openLake({ url: 'file:./lake', baseDir: base });
    const lake = await reopen();
    return { lake, reopen, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
  },
};

const testServer: Backend = {
  name: 'the S3 test server',
  anyKey: true,
  partSize: SMALL_PART,
  async open() {
    const server = await startS3Server({ behaviour: { pageSize: 100 } });
    return s3Place(server.endpoint, server, SMALL_PART);
  },
};

const binary = findVersitygw();
const versitygw: Backend = {
  name: binary === null ? 'versitygw (skipped: not found; .ci/versitygw builds it)' : 'versitygw',
  anyKey: false,
  partSize: LEAST_PART,
  open:
    binary === null
      ? null
      : async () => {
          const server = await startVersitygw(binary);
          return s3Place(server.endpoint, server, LEAST_PART);
        },
};

export const BACKENDS: Backend[] = [folder, testServer, versitygw];

async function s3Place(endpoint: string, server: AsyncDisposable, partSize: number): Promise<Place> {
  Object.assign(process.env, VERSITYGW_KEYS);
  const s3 = { endpoint, region: 'us-east-1', force_path_style: true, part_size: partSize };
  const lakes: Lake[] = [];
  const reopen = async () => {
    const lake = await openLake({ url: 's3://lake/some/prefix', baseDir: '/', s3 });
    lakes.push(lake);
    return lake;
  };
  return {
    lake: await reopen(),
    reopen,
    async [Symbol.asyncDispose]() {
      for (const lake of lakes) await lake[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
