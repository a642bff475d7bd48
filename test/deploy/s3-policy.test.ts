/** deploy/aws/policy*.json on a server that checks policies: with them everything works, and each action in them is needed. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PutBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import { probePutIfAbsent, probeWritable } from '../../src/lake/probe.ts';
import { runHere } from '../support/cli.ts';
import { createDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS, type Versitygw } from '../support/versitygw.ts';

const binary = findVersitygw();
const USER = { access: 'tidemark', secret: 'tidemarksecret' };
const KEYS = { AWS_ACCESS_KEY_ID: USER.access, AWS_SECRET_ACCESS_KEY: USER.secret, AWS_EC2_METADATA_DISABLED: 'true' };
const { signal } = new AbortController();

type Statement = { Action: string[]; Resource: string };
const policyOf = async (file: string): Promise<Statement[]> =>
  JSON.parse(await readFile(path.join(ROOT, 'deploy/aws', file), 'utf8')).Statement;

const LAKE_ACTIONS = (await policyOf('policy.json')).flatMap(({ Action }) => Action);

describe.skipIf(binary === null)('the policies', () => {
  let server: Versitygw;
  let owner: S3Client;

  beforeAll(async () => {
    server = await startVersitygw(binary!, USER);
    const [accessKeyId, secretAccessKey] = Object.values(VERSITYGW_KEYS);
    const credentials = { accessKeyId, secretAccessKey };
    owner = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  });

  afterAll(async () => {
    owner.destroy();
    await server[Symbol.asyncDispose]();
  });

  /** What the identity's policy says, as the bucket's: of this user, in this bucket. */
  async function allow(file: string, without?: string): Promise<void> {
    const statements = (await policyOf(file)).map(({ Action, Resource }) => ({
      Effect: 'Allow',
      Principal: { AWS: [USER.access] },
      Action: Action.filter((action) => action !== without),
      Resource: Resource.replace(/^arn:aws:s3:::[^/]+/, 'arn:aws:s3:::lake'),
    }));
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: statements.filter(({ Action }) => Action.length > 0),
    });
    await owner.send(new PutBucketPolicyCommand({ Bucket: 'lake', Policy }));
  }

  const s3 = () => ({ endpoint: server.endpoint, region: 'us-east-1', force_path_style: true });

  async function withLake<T>(work: (lake: Lake) => Promise<T>, prefix = 'shop'): Promise<T> {
    const before = { ...process.env };
    Object.assign(process.env, KEYS);
    const lake = await openLake({ url: `s3://lake/${prefix}`, baseDir: '/', s3: s3() });
    try {
      return await work(lake);
    } finally {
      await lake[Symbol.asyncDispose]();
      process.env = before;
    }
  }

  /** What an export leaves whose process dies, and what the next one does with it. */
  async function removeAnUpload(lake: Lake): Promise<void> {
    const upload = await lake.startUpload('raw/t/left', { run: 1n, token: 1n }, signal);
    await upload.write(Buffer.from('x'));
    await upload.finish();
    await lake.abortUploads('raw/t/', signal);
  }

  test('doctor, export, compact and vacuum work with it', async () => {
    await allow('policy.json');
    await using db = await createDatabase();
    await db.query('create table invoice (id int primary key); insert into invoice select generate_series(1, 100)');
    const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-policy-'));
    const lines = Object.entries(s3()).map(([key, value]) => `${key}: ${value}`);
    await writeFile(
      path.join(cwd, 'tidemark.yaml'),
      `source: { url: "${db.url}" }\nlake: s3://lake/shop\ns3: { ${lines.join(', ')} }\nspool: { path: ./spool }\n`,
    );
    const before = { ...process.env };
    Object.assign(process.env, KEYS);
    try {
      for (const args of [
        ['doctor'],
        ['export', '--all'],
        ['compact', '--all'],
        ['compact', '--all', '--rebuild'],
        ['vacuum', '--all'],
      ]) {
        const { code, stdout, stderr } = await runHere(args, { cwd, env: KEYS });
        expect({ args, code, stderr, bad: code === 0 ? '' : stdout }).toMatchObject({ code: 0 });
      }
    } finally {
      process.env = before;
      await rm(cwd, { recursive: true, force: true });
    }
    await withLake(removeAnUpload);
  });

  test('it reaches nothing outside of the prefix', async () => {
    await allow('policy.json');
    await expect(withLake((lake) => probeWritable(lake, signal), 'other')).rejects.toMatchObject({
      code: 'LAKE_DENIED',
    });
  });

  test.each(LAKE_ACTIONS)('without %s the error names it', async (action) => {
    await allow('policy.json', action);
    const all = async (lake: Lake) => {
      await probeWritable(lake, signal);
      await probePutIfAbsent(lake, signal);
      await removeAnUpload(lake);
    };
    await expect(withLake(all)).rejects.toMatchObject({ code: 'LAKE_DENIED', hint: expect.stringContaining(action) });
  });

  test('a load reads its drops with policy-loads.json, and needs both of its actions', async () => {
    await owner.send(new PutObjectCommand({ Bucket: 'lake', Key: 'raw/one.jsonl', Body: '{"id": 1}\n' }));
    await using db = await createDatabase();
    await db.query('create table events (id bigint primary key)');
    const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-policy-'));
    const lines = Object.entries(s3()).map(([key, value]) => `${key}: ${value}`);
    const config = (into: string) => `source: { url: "${db.url}" }\nlake: file:./lake\nloads:
  - { load: events, from: "s3://lake/raw/*.jsonl", s3: { ${lines.join(', ')} }, into: ${into}, target: "${db.url}", key: [id], columns: { id: { type: bigint } } }\n`;
    await writeFile(path.join(cwd, 'tidemark.yaml'), config('public.events'));
    const before = { ...process.env };
    Object.assign(process.env, KEYS);
    try {
      for (const action of ['s3:ListBucket', 's3:GetObject']) {
        await allow('policy-loads.json', action);
        const { stdout, stderr } = await runHere(['load'], { cwd, env: KEYS });
        expect(stdout + stderr).toContain(`grant ${action}`);
      }
      await allow('policy-loads.json');
      const { stdout } = await runHere(['load', '--json'], { cwd, env: KEYS });
      expect(JSON.parse(stdout).loads).toMatchObject([{ state: 'loaded', rows_out: 1 }]);
    } finally {
      process.env = before;
      await rm(cwd, { recursive: true, force: true });
    }
  });
});
