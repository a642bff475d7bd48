/** `tidemark query` over what exports and compactions leave, in a folder and on S3. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene, type SceneConfig } from '../support/export-scene.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

let scene: ExportScene;
let server: S3Server;

beforeAll(async () => {
  scene = await exportScene();
  server = await startS3Server();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
});

const spool = (name: string) => ({ path: `./spool-${name}`, limit: '1GB' });
const folder = (): SceneConfig => ({ spool: spool('folder') });
const bucket = (): SceneConfig => ({
  lake: 's3://lake/p',
  s3: { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true },
  spool: spool('s3'),
});

async function rows(sql: string, config: SceneConfig, env?: Record<string, string>): Promise<unknown[]> {
  const { code, stdout, stderr } = await scene.run(['query', sql, '--json', '--quiet'], config, env);
  expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout });
  return JSON.parse(stdout);
}

/** GETs of Parquet files in the bucket so far. */
const fetched = () => server.log.filter(({ operation, key }) => operation === 'GetObject' && key.endsWith('.parquet'));

describe.each([
  ['a folder', 'one', folder],
  ['S3', 'two', bucket],
] as const)('a lake in %s', (_, table, config) => {
  beforeAll(async () => {
    const { db } = scene;
    await db.query(
      `create table ${table} (id int primary key, name text, stamp timestamp, updated_at timestamptz not null default now())`,
    );
    await db.query(
      `insert into ${table} select i, 'first', '2026-01-02 03:04:05.678901' from generate_series(1, 1000) i`,
    );
    const run = async (...args: string[]) => {
      const { code, stderr, stdout } = await scene.run([...args, '--table', table], config());
      expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
    };
    await run('export');
    await run('compact');
    await db.query(`update ${table} set name = 'second', updated_at = clock_timestamp() where id <= 10`);
    await db.query(`alter table ${table} add column more numeric(9, 2)`);
    await db.query(`insert into ${table} (id, name, more) values (5000, 'new', 1.50)`);
    await run('export');
    await run('compact');
  });

  test('staged is the current state, raw the history', async () => {
    expect(await rows(`SELECT name, count(*) AS n FROM ${table} GROUP BY ALL ORDER BY n`, config())).toEqual([
      { name: 'new', n: 1 },
      { name: 'second', n: 10 },
      { name: 'first', n: 990 },
    ]);
    const sql = `SELECT _tidemark_run - min(_tidemark_run) OVER () AS run, name, more, stamp, _tidemark_op AS op, load_date = current_date AS today
      FROM raw.${table} WHERE id = 7 ORDER BY _tidemark_run`;
    const stamp = '2026-01-02T03:04:05.678901';
    const same = { more: null, stamp, op: 'u', today: true };
    expect(await rows(sql, config())).toEqual([
      { run: 0, name: 'first', ...same },
      { run: expect.any(Number), name: 'second', ...same },
    ]);
    expect(await rows(`SELECT stamp FROM ${table} WHERE id = 7`, config())).toEqual([{ stamp: `${stamp}Z` }]);
    expect(await rows(`SELECT id, more FROM raw.${table.toUpperCase()} WHERE more IS NOT NULL`, config())).toEqual([
      { id: 5000, more: 1.5 },
    ]);
    const joined = `SELECT count(*) AS n FROM raw.${table} r JOIN ${table} s USING (id) WHERE r.name <> s.name`;
    expect(await rows(joined, config())).toEqual([{ n: 10 }]);
    expect(
      await rows(`SELECT count(*) AS n FROM ${table}`, config(), {
        DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      }),
    ).toEqual([{ n: 1001 }]);
  });

  test('the history of what was never exported', async () => {
    const ended = await scene.run(['query', 'FROM raw.nothing'], config());
    expectError(ended, {
      exit: 2,
      code: 'TABLE_UNKNOWN',
      says: /no table raw.nothing was exported/,
      hint: new RegExp(`there are .*${table}`),
    });
  });

  test('an older version', async () => {
    const { stdout } = await scene.run(
      ['query', `SELECT count(*) AS n FROM ${table}`, '--at-version', '0', '--json'],
      config(),
    );
    expect(JSON.parse(stdout)).toEqual([{ n: 1000 }]);
  });
});

describe('of S3', () => {
  test('what is staged is found in the bucket', async () => {
    expect(await rows('SHOW TABLES', bucket())).toEqual([{ name: 'two' }]);
    const ended = await scene.run(['query', 'FROM tow'], bucket());
    expectError(ended, { exit: 2, code: 'TABLE_UNKNOWN', says: /no table tow is staged/, hint: /did you mean two\?/ });
  });

  test('a file is fetched once, and only when a filter leaves it', async () => {
    await scene.run(['query', 'SELECT max(name) FROM two'], bucket());
    const before = fetched().length;
    await scene.run(['query', 'SELECT min(name) FROM two WHERE id < 5'], bucket());
    expect(fetched()).toHaveLength(before);
    // Another spool knows nothing of it yet.
    const fresh = { ...bucket(), spool: spool('fresh') };
    expect(await rows('SELECT count(*) AS n FROM two WHERE id > 6000', fresh)).toEqual([{ n: 0 }]);
    expect(await rows('DESCRIBE two', fresh)).toHaveLength(5);
    expect(await rows("SELECT count(*) AS n FROM raw.two WHERE load_date < DATE '2020-01-01'", fresh)).toEqual([
      { n: 0 },
    ]);
    expect(fetched()).toHaveLength(before);
    expect(await rows('SELECT count(*) AS n FROM raw.two WHERE id > 4000', fresh)).toEqual([{ n: 1 }]);
    expect(fetched()).toHaveLength(before + 1);
  });

  test('more than the spool may hold: how much it is, before anything is fetched', async () => {
    const schema = JSON.stringify({
      type: 'struct',
      fields: [{ name: 'id', type: 'long', nullable: true, metadata: {} }],
    });
    const add = (path: string) => ({
      path,
      partitionValues: {},
      size: 60_000_000,
      modificationTime: 0,
      dataChange: true,
    });
    const actions = [
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      {
        metaData: {
          id: 'x',
          format: { provider: 'parquet', options: {} },
          schemaString: schema,
          partitionColumns: [],
          configuration: {},
        },
      },
      { add: add('a.parquet') },
      { add: add('b.parquet') },
    ];
    const log = Buffer.from(actions.map((action) => JSON.stringify(action)).join('\n'));
    server.bucket.put('p/staged/large/_delta_log/00000000000000000000.json', log, { metadata: {} }, false);
    const before = fetched().length;
    const small = { ...bucket(), spool: { path: './spool-small', limit: '100MB' } };
    const ended = await scene.run(['query', 'FROM large'], small);
    const says = /needs 2 files of 120000000 bytes \(120 MB\), and `spool.limit` allows 10\d+/;
    expectError(ended, { exit: 1, code: 'SPOOL_FULL', says, hint: /spool\.limit/ });
    expect(fetched()).toHaveLength(before);
  });

  test('what it fetched is in the log', async () => {
    const { stderr } = await scene.run(['query', 'SELECT count(*) FROM two'], { ...bucket(), spool: spool('told') });
    expect(stderr).toMatch(/"files":\d+,"bytes":\d+/);
  });
});
