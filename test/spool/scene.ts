/** A spool over a lake on the S3 test server, for tests. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Lake } from '../../src/lake/lake.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import { Spool } from '../../src/spool/spool.ts';
import { type Fixture, never, s3Fixture } from '../s3/s3-fixture.ts';

export const log = pino({ level: 'silent' });
export const KB = 1000;

export type Scene = AsyncDisposable & {
  path: string;
  s3: Fixture;
  config: LakeConfig;
  /** Another spool of the same path, as another process has it. */
  open(limitBytes?: number): Promise<Spool>;
  /** Puts a file of random bytes into the lake. */
  put(key: string, bytes: number): Promise<Buffer>;
  /** Reads a file through the spool, checks nothing, gives it back. */
  touch(spool: Spool, key: string, bytes: number): Promise<Buffer>;
  fetches(): number;
  /** Sizes of the cached files. */
  cached(): Promise<number[]>;
};

export async function spoolScene(): Promise<Scene> {
  const path = await mkdtemp(join(tmpdir(), 'tidemark-spool-'));
  const s3 = await s3Fixture();
  const spools: Spool[] = [];
  return {
    path,
    s3,
    config: {
      url: 's3://lake/pre',
      baseDir: '/',
      s3: { endpoint: s3.server.endpoint, region: 'us-east-1', force_path_style: true },
    },
    async open(limitBytes = 1000 * KB) {
      const spool = await Spool.open({ path, limitBytes }, s3.lake, log);
      spools.push(spool);
      return spool;
    },
    put: (key, bytes) => putRandom(s3.lake, key, bytes),
    async touch(spool, key, bytes) {
      await using file = await spool.read(key, { bytes }, never);
      return readFile(file.path);
    },
    fetches: () => s3.server.count('GetObject'),
    cached: async () => (await filesBelow(join(path, 'cache'))).map((each) => each.bytes).sort((a, b) => a - b),
    async [Symbol.asyncDispose]() {
      for (const spool of spools) await spool[Symbol.asyncDispose]();
      await s3[Symbol.asyncDispose]();
      await rm(path, { recursive: true, force: true });
    },
  };
}

export async function putRandom(lake: Lake, key: string, bytes: number): Promise<Buffer> {
  const body = randomBytes(bytes);
  await lake.put(key, body, never);
  return body;
}

/** Every file below, by its path and inode. */
export async function filesBelow(folder: string): Promise<{ path: string; bytes: number; id: bigint }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return Promise.all(
    files.map(async (path) => {
      const { size, ino } = await stat(path, { bigint: true });
      return { path, bytes: Number(size), id: ino };
    }),
  );
}
