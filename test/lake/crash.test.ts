import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import type { PreparedFile } from '../../src/model/run.ts';
import { startS3Server } from '../support/s3-server.ts';

const CHILD = fileURLToPath(new URL('./child/upload.ts', import.meta.url));
const KEY = 'raw/t/load_date=2026-01-01/run-7-00000.parquet';
const BYTES = 400_000;
const never = new AbortController().signal;
const owner = { run: 7n, token: 3n };

type Uploader = { child: ChildProcess; line(): Promise<string> };
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function startUploader(config: LakeConfig, wrap: string[] = []): Uploader {
  const order = JSON.stringify({ config, key: KEY, bytes: BYTES, run: '7', token: '3' });
  const [command, ...args] = [...wrap, process.execPath, CHILD, order];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, line: async () => String((await lines.next()).value) };
}

async function kill(uploader: Uploader): Promise<void> {
  uploader.child.kill('SIGKILL');
  await once(uploader.child, 'exit');
}

async function contents(lake: Lake): Promise<string[]> {
  const found: string[] = [];
  for await (const each of lake.list('', never)) found.push(each.key);
  return found;
}

function expectedBody(): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < BYTES; at += 50_000) chunks.push(Buffer.alloc(50_000, (at / 50_000) % 251));
  return Buffer.concat(chunks);
}

async function folderConfig(): Promise<LakeConfig & AsyncDisposable> {
  const baseDir = await mkdtemp(join(tmpdir(), 'tidemark-crash-'));
  return { url: 'file:./lake', baseDir, [Symbol.asyncDispose]: () => rm(baseDir, { recursive: true, force: true }) };
}

function s3Config(endpoint: string): LakeConfig {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testtest' });
  return {
    url: 's3://lake/p',
    baseDir: '/',
    s3: { endpoint, region: 'us-east-1', force_path_style: true, part_size: 64 * 1024 },
  };
}

describe('a folder', () => {
  test('killed while it writes: nothing is visible, recovery leaves nothing', async () => {
    await using config = await folderConfig();
    const dead = startUploader(config);
    expect(await dead.line()).toBe('writing');
    await kill(dead);
    await using lake = await openLake(config);
    expect(await contents(lake)).toEqual([]);
    expect(await lake.abortUploads('raw/t/', never)).toBe(1);
    expect(await readdir(join(config.baseDir, 'lake'))).toEqual(['_uploads']);
    expect(await readdir(join(config.baseDir, 'lake', '_uploads'))).toEqual([]);
  });

  test('killed between finish and complete: another process completes', async () => {
    await using config = await folderConfig();
    const dead = startUploader(config);
    await dead.line();
    const file: PreparedFile = JSON.parse(await dead.line());
    await kill(dead);
    await using lake = await openLake(config);
    expect(await contents(lake)).toEqual([]);
    await lake.completeUpload(file, owner, never);
    expect(await contents(lake)).toEqual([KEY]);
    expect((await lake.get(KEY, never)).equals(expectedBody())).toBe(true);
  });

  test('killed after the link, before the temporary name is gone: another process finishes the work', async () => {
    await using config = await folderConfig();
    const dead = startUploader(config);
    await dead.line();
    const file: PreparedFile = JSON.parse(await dead.line());
    await kill(dead);
    await using lake = await openLake(config);
    // What the dead process had done when it died.
    const root = join(config.baseDir, 'lake');
    await mkdir(dirname(join(root, KEY)), { recursive: true });
    await link(join(root, file.upload.id), join(root, KEY));
    await lake.completeUpload(file, owner, never);
    expect(await contents(lake)).toEqual([KEY]);
    expect(await lake.abortUploads('', never)).toBe(0);
    expect((await lake.get(KEY, never)).equals(expectedBody())).toBe(true);
  });

  test('killed at any moment of complete: another process finishes, ten times', async () => {
    await using config = await folderConfig();
    for (let round = 0; round < 10; round++) {
      const dead = startUploader(config);
      await dead.line();
      const file: PreparedFile = JSON.parse(await dead.line());
      dead.child.stdin!.write('go\n');
      // Spread over what complete takes: some die before the link, some after the end.
      await new Promise((resolve) => setTimeout(resolve, round * 0.7));
      await kill(dead);
      await using lake = await openLake(config);
      await lake.completeUpload(file, owner, never);
      expect((await lake.get(KEY, never)).equals(expectedBody())).toBe(true);
      expect(await contents(lake)).toEqual([KEY]);
      expect(await lake.abortUploads('', never)).toBe(0);
      await lake.delete([KEY], never);
    }
  });

  test('a disk with no room for the file: LAKE_FULL, nothing visible', async () => {
    await using config = await folderConfig();
    // The shell's limit of a file's size (blocks of 1 KiB) stands for the disk: the write that crosses it fails in the system.
    const limited = startUploader(config, ['bash', '-c', 'ulimit -f 200; exec "$0" "$@"']);
    expect(await limited.line()).toBe('writing');
    expect(JSON.parse(await limited.line())).toMatchObject({
      code: 'LAKE_FULL',
      hint: expect.stringContaining('space'),
    });
    await using lake = await openLake(config);
    expect(await contents(lake)).toEqual([]);
  });

  test('a folder that may not be written: LAKE_DENIED', async () => {
    // /sys takes no new folders, not from root either.
    await using lake = await openLake({ url: 'file:/sys/tidemark', baseDir: '/' });
    const denied = { code: 'LAKE_DENIED', hint: expect.stringContaining('allowed') };
    await expect(lake.startUpload('raw/a', owner, never)).rejects.toMatchObject(denied);
    await expect(lake.putIfAbsent('raw/a', Buffer.from('x'), never)).rejects.toMatchObject(denied);
  });
});

describe('S3', () => {
  test('killed while it writes: nothing is visible, recovery leaves nothing', async () => {
    await using server = await startS3Server();
    const dead = startUploader(s3Config(server.endpoint));
    expect(await dead.line()).toBe('writing');
    await kill(dead);
    await using lake = await openLake(s3Config(server.endpoint));
    expect(await contents(lake)).toEqual([]);
    expect(await lake.abortUploads('raw/t/', never)).toBe(1);
    expect(server.bucket.uploads.size).toBe(0);
  });

  test('killed between finish and complete: another process completes', async () => {
    await using server = await startS3Server();
    const dead = startUploader(s3Config(server.endpoint));
    await dead.line();
    const file: PreparedFile = JSON.parse(await dead.line());
    await kill(dead);
    await using lake = await openLake(s3Config(server.endpoint));
    expect(await contents(lake)).toEqual([]);
    await lake.completeUpload(file, owner, never);
    expect((await lake.get(KEY, never)).equals(expectedBody())).toBe(true);
  });

  test.each([true, false])(
    'killed while its Complete is under way (done by the server: %s): another process finishes',
    async (work) => {
      await using server = await startS3Server();
      const dead = startUploader(s3Config(server.endpoint));
      await dead.line();
      const file: PreparedFile = JSON.parse(await dead.line());
      server.fault({ on: 'CompleteMultipartUpload', act: { kind: 'hang', work } });
      dead.child.stdin!.write('go\n');
      await vi.waitFor(() => expect(server.count('CompleteMultipartUpload')).toBe(1), 30_000);
      await kill(dead);
      expect(server.bucket.objects.size).toBe(work ? 1 : 0);
      await using lake = await openLake(s3Config(server.endpoint));
      await lake.completeUpload(file, owner, never);
      expect((await lake.get(KEY, never)).equals(expectedBody())).toBe(true);
      expect(await contents(lake)).toEqual([KEY]);
      expect(server.bucket.uploads.size).toBe(0);
    },
  );
});
