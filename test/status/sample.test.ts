import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openEngine } from '../../src/compact/open-engine.ts';
import { openLake } from '../../src/lake/open.ts';
import { Samples } from '../../src/status/sample.ts';
import { tableDetails } from '../../src/status/table-details.ts';
import { createCompactor } from '../support/compactor.ts';
import { startS3Server } from '../support/s3-server.ts';
import { never } from '../support/state.ts';
import { createStatusScene, type StatusScene } from '../support/status-scene.ts';

async function staged(scene: StatusScene, columns: string, rows: string): Promise<void> {
  await scene.database.query(`create table t (id bigint primary key, ${columns})`);
  await scene.database.query(rows);
  await scene.exporter.run('t');
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('t');
}

test('values are exact text, null is null, long ones are cut', async () => {
  await using scene = await createStatusScene();
  await staged(
    scene,
    'n numeric(38, 10), b bytea, j jsonb, a int[], at timestamptz, long text',
    `insert into t values (9007199254740993, 1234567890123456789012345678.0123456789, '\\x00ff', '{"a": [1]}', '{1,null}', '0099-01-01 00:00:00.000001+00', repeat('😀', 500)), (1, null, null, null, null, null, null)`,
  );
  const sample = await new Samples(scene.deps.lake, scene.deps.engine).get('t', 0n, never);
  expect(sample).toMatchObject({ columns: ['id', 'n', 'b', 'j', 'a', 'at', 'long'], more: 0 });
  const rows = new Map(sample!.rows.map((row) => [row[0], row]));
  expect(rows.get('1')).toEqual(['1', null, null, null, null, null, null]);
  expect(rows.get('9007199254740993')).toEqual([
    '9007199254740993',
    '1234567890123456789012345678.0123456789',
    '\\x00ff',
    '{"a": [1]}',
    '[1,null]',
    '0099-01-01 00:00:00.000001+00',
    `${'😀'.repeat(200)} …`,
  ]);
});

test('a table in several files shows rows of each', async () => {
  await using scene = await createStatusScene();
  await staged(scene, 'x int', 'insert into t select g, 1 from generate_series(1, 8) g');
  await scene.database.query('insert into t select g, 2 from generate_series(9, 14) g');
  await scene.exporter.run('t');
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('t');
  expect((await compactor.snapshot('t')).files.size).toBe(2);
  const sample = await new Samples(scene.deps.lake, scene.deps.engine).get('t', 1n, never);
  expect(sample!.rows.map(([id]) => Number(id)).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 14 }, (_, i) => i + 1),
  );
});

test('an empty table has no rows to show', async () => {
  await using scene = await createStatusScene();
  await staged(scene, 'x int', 'select 1');
  expect(await new Samples(scene.deps.lake, scene.deps.engine).get('t', 0n, never)).toMatchObject({ rows: [] });
  expect(await new Samples(scene.deps.lake, scene.deps.engine).get('nothing', 0n, never)).toBeNull();
});

test('many who ask for one version have it made once', async () => {
  await using scene = await createStatusScene();
  await staged(scene, 'x int', 'insert into t values (1, 2)');
  let engines = 0;
  const samples = new Samples(scene.deps.lake, () => {
    engines++;
    return scene.deps.engine();
  });
  const all = await Promise.all(Array.from({ length: 20 }, () => samples.get('t', 0n, never)));
  expect(all.map((sample) => sample!.rows)).toEqual(Array.from({ length: 20 }, () => [['1', '2']]));
  expect(engines).toBe(1);
});

test('one that fails does not stand in the way of the next', async () => {
  await using scene = await createStatusScene();
  await staged(scene, 'x int', 'insert into t values (1, 2)');
  let broken = true;
  const samples = new Samples(scene.deps.lake, () => {
    if (!broken) return scene.deps.engine();
    broken = false;
    return Promise.reject(new Error('no room'));
  });
  await expect(samples.get('t', 0n, never)).rejects.toThrow('no room');
  expect((await samples.get('t', 0n, never))!.rows).toEqual([['1', '2']]);
});

test('from a lake on S3 the file is fetched, and nothing stays', async () => {
  await using scene = await createStatusScene();
  await staged(scene, 'x int', 'insert into t select g, 2 from generate_series(1, 30) g');
  await using server = await startS3Server();
  process.env.AWS_ACCESS_KEY_ID ??= 'test';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
  const s3 = { region: 'eu-west-1', endpoint: server.endpoint, force_path_style: true };
  await using lake = await openLake({ url: `s3://${server.bucketName}/x`, baseDir: '/', s3 });
  const from = path.join(scene.exporter.lakeDir, 'staged/t');
  for (const name of await readdir(from, { recursive: true })) {
    if (/\.(json|parquet)$/.test(name)) await lake.putFile(`staged/t/${name}`, path.join(from, name), never);
  }
  const engine = () => openEngine(scene.config, lake, { log: scene.deps.log } as Parameters<typeof openEngine>[2]);
  const sample = await new Samples(lake, engine).get('t', 0n, never);
  expect(sample!.rows).toHaveLength(20);
  expect(server.log.filter(({ key, status }) => key.endsWith('.parquet') && status === 200).length).toBeGreaterThan(0);
  expect(await readdir(path.join(scene.config.spool.path, 'own'))).toEqual([]);
  const details = await tableDetails({ state: scene.exporter.state, lake }, 't', true, never);
  expect(details.versions).toMatchObject({ value: [{ version: 0, inserted: 30 }] });
});
