/** `tidemark export` into a lake that cannot be written, or fails in the middle. */

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene, type SceneConfig } from '../support/export-scene.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

const run = promisify(execFile);

let scene: ExportScene;
let server: S3Server;

beforeAll(async () => {
  scene = await exportScene();
  server = await startS3Server();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const bucket = (name: string): SceneConfig => ({
  lake: `s3://${name}/p`,
  s3: { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true },
});

/** What the bucket of the server has of the table. */
const objects = (table: string) => server.bucket.keys().filter((key) => key.startsWith(`p/raw/${table}/`));

async function isEmpty(table: string): Promise<void> {
  expect(objects(table)).toEqual([]);
  await scene.isUntouched(table);
}

describe('a bucket', () => {
  test('that does not exist', async () => {
    await scene.table('nowhere');
    const ended = await scene.export('nowhere', bucket('no-such-bucket'));
    expectError(ended, { exit: 3, code: 'LAKE_BUCKET_MISSING', says: /no-such-bucket/, hint: /bucket/ });
    await isEmpty('nowhere');
    await scene.isWholeAfterwards('nowhere');
  });

  test('that may only be read: the permission is named', async () => {
    await scene.table('readonly');
    server.fault({
      on: 'CreateMultipartUpload',
      act: { kind: 'answer', status: 403, code: 'AccessDenied', echo: true },
    });
    const ended = await scene.export('readonly', bucket('lake'));
    expectError(ended, { exit: 3, code: 'LAKE_DENIED', says: /raw\/readonly/, hint: /s3:PutObject/ });
    await isEmpty('readonly');
    await scene.isWholeAfterwards('readonly');
  });

  test('behind an endpoint where nothing listens', async () => {
    await scene.table('deaf');
    const ended = await scene.export('deaf', {
      lake: 's3://lake/p',
      s3: { endpoint: 'http://127.0.0.1:1', region: 'x' },
    });
    expectError(ended, { exit: 3, code: 'LAKE_UNREACHABLE', says: /127\.0\.0\.1:1/, hint: /endpoint/ });
    await isEmpty('deaf');
  });

  test('that stumbles: slow-downs, resets and lost answers are got over', async () => {
    await scene.table('stumbles', 5_000);
    const busy = { kind: 'answer', status: 503, code: 'SlowDown' } as const;
    server.fault({ on: 'CreateMultipartUpload', act: busy });
    server.fault({ on: 'UploadPart', act: { kind: 'reset', afterBytes: 1_000 } });
    server.fault({ on: 'UploadPart', act: busy });
    server.fault({ on: 'CompleteMultipartUpload', act: { kind: 'lose-answer' } });
    const { code, stdout, stderr } = await scene.export('stumbles', bucket('lake'));
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: expect.stringContaining('5,000 rows') });
    expect(server.faultsLeft()).toBe(0);
    expect(objects('stumbles')).toHaveLength(1);
    expect(server.bucket.uploads.size).toBe(0);
  });

  test('that fails for good while files are made visible: the next run completes them', async () => {
    await scene.table('half');
    server.fault({
      on: 'CompleteMultipartUpload',
      times: 1,
      act: { kind: 'answer', status: 403, code: 'AccessDenied' },
    });
    const ended = await scene.export('half', bucket('lake'));
    expectError(ended, { exit: 3, code: 'LAKE_DENIED', says: /raw\/half/, hint: /s3:PutObject/ });
    await isEmpty('half');
    expect(server.bucket.uploads.size).toBe(1);
    const next = await scene.export('half', bucket('lake'));
    expect(next).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing new') });
    expect(objects('half')).toHaveLength(1);
    expect(server.bucket.uploads.size).toBe(0);
  });
});

/** A disk of its own; false when this machine lets nobody mount one. */
async function mounted(folder: string, options: string): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  return run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).then(
    () => true,
    () => false,
  );
}

describe('a folder', () => {
  test('on a full disk', async (context) => {
    await scene.table('crowded', 20_000);
    await scene.db.query('alter table crowded add noise text');
    await scene.db.query('update crowded set noise = md5(id::text)');
    const disk = path.join(scene.cwd, 'small');
    if (!(await mounted(disk, 'size=100k'))) return context.skip();
    try {
      const ended = await scene.export('crowded', { lake: `file:${disk}`, defaults: { compression: 'none' } });
      expectError(ended, { exit: 1, code: 'LAKE_FULL', says: /ENOSPC/, hint: /space/ });
      const { stdout } = await run('find', [disk, '-type', 'f']);
      expect(stdout).toBe('');
      await scene.isUntouched('crowded');
    } finally {
      await run('umount', [disk]);
    }
    await scene.isWholeAfterwards('crowded');
  });

  test('that may not be written', async () => {
    await scene.table('denied');
    // /sys takes no folders, from root neither.
    const ended = await scene.export('denied', { lake: 'file:/sys/tidemark' });
    expectError(ended, { exit: 3, code: 'LAKE_DENIED', says: /E(PERM|ACCES|ROFS)/, hint: /folder/ });
    await scene.isUntouched('denied');
    await scene.isWholeAfterwards('denied');
  });
});
