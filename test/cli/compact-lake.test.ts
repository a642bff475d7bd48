/** `tidemark compact` over S3, beside another one, and stopped by signals. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ExportScene, exportScene, type SceneConfig } from '../support/export-scene.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

let scene: ExportScene;
let server: S3Server;
let spool: string;

beforeAll(async () => {
  scene = await exportScene();
  server = await startS3Server();
  spool = await mkdtemp(path.join(os.tmpdir(), 'tidemark-spool-'));
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  await rm(spool, { recursive: true });
});

const holderOf = async (table: string) => {
  const [lease] = await scene.db.query<{ holder: string | null }>(
    `select holder from tidemark.lease join tidemark.source_table t on t.id = table_id where folder = $1 and kind = 'compact'`,
    [table],
  );
  return lease?.holder ?? null;
};

test('S3: compact, history and vacuum; nothing stays in the spool but its cache', async () => {
  const config: SceneConfig = {
    lake: 's3://lake/p',
    s3: { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true },
    spool: { path: spool },
  };
  const ran = async (...args: string[]) => {
    const ended = await scene.run([...args, '--table', 'invoice', '--json'], config);
    expect(ended).toMatchObject({ code: 0 });
    return JSON.parse(ended.stdout).tables[0];
  };
  await scene.table('invoice', 500);
  await ran('export');
  expect(await ran('compact')).toMatchObject({ version: 0, inserted: 500, deleted: 0, files_added: 1 });
  await scene.db.query(
    'update invoice set updated_at = clock_timestamp() where id <= 3; insert into invoice values (501)',
  );
  await ran('export');
  expect(await ran('compact')).toMatchObject({ version: 1, inserted: 1, updated: 3, files_removed: 1 });
  expect(await ran('compact')).toMatchObject({ state: 'nothing', version: 1 });
  expect((await ran('history')).versions).toMatchObject([
    { version: 1, inserted: 1, updated: 3, engine: expect.stringMatching(/^tidemark/) },
    { version: 0, inserted: 500 },
  ]);
  expect(await ran('vacuum')).toMatchObject({ files: 0, kept: expect.any(Number) });
  const staged = server.bucket.keys().filter((key) => key.startsWith('p/staged/invoice/'));
  expect(staged.filter((key) => key.includes('/_delta_log/'))).toHaveLength(2);
  expect(await readdir(path.join(spool, 'own'))).toEqual([]);
});

test('stopped by SIGTERM it gives the lease back, and the next one goes on', async () => {
  await scene.db.query('create table large (id int primary key, note text, updated_at timestamptz default now())');
  await scene.db.query(
    `insert into large select i, md5(i::text) || md5((-i)::text) from generate_series(1, 1500000) i`,
  );
  expect(await scene.export('large')).toMatchObject({ code: 0 });
  const running = await scene.start(['compact', '--table', 'large'], { spool: { path: spool } });
  const outputs = async () => (await readdir(spool, { recursive: true })).filter((name) => name.endsWith('.parquet'));
  await vi.waitFor(async () => expect(await outputs()).not.toEqual([]), { timeout: 60_000, interval: 10 });
  // It stands still until the second one has looked.
  running.kill('SIGSTOP');
  const second = await scene.run(['compact', '--table', 'large']);
  expect(second).toMatchObject({ code: 4, stdout: expect.stringMatching(/public\.large +held +by \S+ pid \d+/) });
  running.kill('SIGTERM');
  running.kill('SIGCONT');
  const ended = await running.ended;
  expect(ended).toMatchObject({ code: 143, stdout: '' });
  expect(ended.stderr).not.toMatch(/INTERNAL|LEASE_LOST/);
  expect(await holderOf('large')).toBeNull();
  const again = await scene.run(['compact', '--table', 'large', '--json'], { spool: { path: spool } });
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout).tables).toMatchObject([{ state: 'compacted', version: 0, inserted: 1_500_000 }]);
});
