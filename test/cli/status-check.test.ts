import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportScene, exportScene, type SceneConfig, variable } from '../support/export-scene.ts';
import { createExporter } from '../support/exporter.ts';
import { openAt, take } from '../support/state.ts';

let scene: ExportScene;

const check = (args: string[] = [], config?: SceneConfig, env?: Record<string, string>) =>
  scene.run(['status', '--check', ...args], config, env);

/** The problems of one table, with everything well elsewhere. */
async function problems(table: string, ...args: string[]) {
  const { code, stdout } = await check(['--table', table, '--json', ...args]);
  const found = JSON.parse(stdout);
  expect(found.ok).toBe(code === 0);
  return found.problems.map(({ problem }: { problem: string }) => problem);
}

/** As if nobody had exported or compacted it since. */
const age = (table: string, interval: string) =>
  scene.db.query(
    `update tidemark.source_table set mark = jsonb_set(mark, '{at}',
       to_jsonb(to_char((now() - $2::interval) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) where folder = $1`,
    [table, interval],
  );

beforeAll(async () => {
  scene = await exportScene();
  for (const table of ['one', 'two']) await scene.table(table, 3);
  await scene.run(['export', '--all']);
  await scene.run(['compact', '--all']);
});

afterAll(() => scene[Symbol.asyncDispose]());

test('all is well: one line, and with --quiet none', async () => {
  expect(await check()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^ok: 2 tables, at most .* s behind\n$/),
  });
  expect(await check(['--quiet'])).toMatchObject({ code: 0, stdout: '' });
});

test('a late table, with how to mend it; and with who works on it', async () => {
  await age('one', '16 minutes');
  const late = await check(['--quiet']);
  expect(late.code).toBe(1);
  expect(late.stdout).toBe(
    'public.one late: 16 min behind, which is more than 15 min; tidemark export --table public.one\n',
  );
  expect(await problems('one', '--max-lag', '1h')).toEqual([]);
  await using store = await openAt(scene.db.url);
  const { lease } = await take(store, 'one', 'host pid 7');
  expect((await check()).stdout).toMatch(/late: .*; host pid 7 works on it$/m);
  await store.release([lease]);
  await scene.run(['export', '--table', 'one']);
  expect(await problems('one')).toEqual([]);
});

test('a paused table is not late', async () => {
  await age('two', '1 day');
  expect(await problems('two')).toEqual(['late']);
  await scene.run(['pause', '--table', 'two']);
  expect((await check()).stdout).toMatch(/^ok: 2 tables, 1 of them paused, at most .* s behind\n$/);
  await scene.run(['resume', '--table', 'two']);
  await scene.run(['export', '--table', 'two']);
});

test('a table that fails, and one that was never exported', async () => {
  await scene.db.query('create table keyless (id int, updated_at timestamptz default now())');
  expect(await problems('keyless')).toEqual(['never_exported']);
  await scene.run(['export', '--table', 'keyless']);
  const { code, stdout } = await check();
  expect(code).toBe(1);
  expect(stdout).toMatch(/^public\.keyless failing: KEY_MISSING: .*; name the columns .*\n$/);
  await scene.db.query('drop table keyless');
  // Nobody waits for a table that is no more.
  expect(await check()).toMatchObject({ code: 0 });
});

test('rows that wait for a compaction for too long', async () => {
  await scene.db.query('insert into one values (4)');
  await scene.run(['export', '--table', 'one']);
  expect(await problems('one')).toEqual([]);
  await scene.db.query(`update tidemark.run set finished_at = finished_at - interval '1 hour'`);
  const { stdout } = await check();
  expect(stdout).toMatch(/^public\.one compaction late: 1 row waits .*; tidemark compact --table public\.one\n$/);
  await scene.run(['compact', '--all']);
  expect(await check()).toMatchObject({ code: 0 });
});

test('a reconciliation that failed, until one is done', async () => {
  await scene.db.query('create table gone (id int primary key, updated_at timestamptz default now())');
  await scene.db.query('insert into gone select generate_series(1, 1200)');
  await scene.run(['export', '--table', 'gone']);
  await scene.run(['compact', '--table', 'gone']);
  await scene.db.query('truncate gone');
  expect(await scene.run(['reconcile', '--table', 'gone'])).toMatchObject({ code: 1 });
  expect((await check(['--table', 'gone'])).stdout).toMatch(
    /^public\.gone reconciliation failing: RECONCILE_MANY: .*--accept-deletes\n$/,
  );
  expect((await scene.run(['status', '--table', 'gone'])).stdout).toMatch(
    /^public\.gone was not reconciled at .*: RECONCILE_MANY: .*\n {2}hint: .*--accept-deletes$/m,
  );
  await scene.run(['reconcile', '--table', 'gone', '--accept-deletes']);
  expect(await problems('gone')).toEqual([]);
  await scene.db.query('drop table gone');
});

test('the source is away: it says so, and checks what it knows', async () => {
  const config = { source: { url: variable('DATABASE_URL') }, state: { url: variable('STATE_URL') } };
  await age('one', '1 hour');
  const away = await check([], config, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  expect(away.code).toBe(1);
  expect(away.stdout).toMatch(/^source: SOURCE_UNREACHABLE: .*\npublic\.one late: /);
});

test('a first export in chunks that is not finished: how far it is, and that the next run goes on with it', async () => {
  await scene.db.query(`create table large (id int primary key, body text)`);
  await scene.db.query(`insert into large select i, repeat(md5(i::text), 20) from generate_series(1, 8000) i`);
  await using exporter = await createExporter(scene.db.url);
  const stopped = exporter.run('large', {
    settings: { chunkBytes: 1 << 20 },
    step: async (name) => {
      if (name === 'chunk-noted') throw new Error('the process ends here');
    },
  });
  await expect(stopped).rejects.toThrow();
  const { stdout } = await check(['--table', 'large']);
  expect(stdout).toMatch(/^public\.large failing: /);
  const status = await scene.run(['status', '--table', 'large', '--json']);
  const { chunks } = JSON.parse(status.stdout).tables[0];
  expect(chunks).toEqual({ run: expect.any(Number), done: expect.any(Number), of: expect.any(Number) });
  expect(chunks.done).toBeGreaterThan(0);
  expect(chunks.done).toBeLessThan(chunks.of);
  const progress = `${chunks.done} of ${chunks.of} chunks`;
  expect((await scene.run(['status', '--table', 'large'])).stdout).toContain(`run ${chunks.run}: ${progress}`);
  await scene.db.query(`update tidemark.source_table set failed_run = null where folder = 'large'`);
  const going = await check(['--table', 'large']);
  expect(going.stdout).toContain(
    `never exported: its first export, run ${chunks.run}, has ${progress}; tidemark export`,
  );
  await scene.db.query('drop table large');
});

describe('loads', () => {
  const drop = (name: string, text: string) => writeFile(path.join(scene.cwd, 'drops', name), text);
  const load = (more: object = {}) => ({
    tables: [{ table: 'public.*' }, { table: 'event', skip: true }],
    loads: [
      {
        load: 'events',
        from: 'file:./drops/*',
        into: 'event',
        target: variable('DATABASE_URL'),
        key: ['id'],
        columns: { id: { type: 'int' } },
        ...more,
      },
    ],
  });
  const found = async (config: SceneConfig, ...args: string[]) => {
    const { code, stdout } = await check(['--quiet', ...args], config);
    return { code, lines: stdout.split('\n').filter((line) => line.startsWith('load ')) };
  };

  test('one whose drops are all done is well; without a ledger too', async () => {
    await scene.db.query('create table event (id int primary key)');
    await mkdir(path.join(scene.cwd, 'drops'));
    expect(await found(load())).toMatchObject({ lines: [] });
    await drop('good.jsonl', '{"id":1}\n');
    await scene.run(['load', 'events'], load());
    await scene.run(['export', '--all'], load());
    expect((await check([], load())).stdout).toMatch(/^ok: \d+ tables, at most .* s behind; 1 load\n$/);
  });

  test('dead drops, until they are replayed', async () => {
    await drop('bad.json', '[{"id":2},');
    await scene.run(['load', 'events'], load());
    const { code, lines } = await found(load());
    expect([code, lines]).toEqual([
      1,
      [
        expect.stringMatching(
          /^load events dead drops: 1 drop cannot be read: bad\.json \(.+\); tidemark load events --replay$/,
        ),
      ],
    ]);
    // Who asks for tables means no loads.
    expect(await found(load(), '--table', 'one')).toEqual({ code: 0, lines: [] });
    await drop('bad.json', '[{"id":2}]');
    await scene.run(['load', 'events'], load());
    expect(await found(load())).toEqual({ code: 0, lines: [] });
  });

  test('one whose last attempt failed: with its error, until one succeeds', async () => {
    const misfit = load({ columns: { id: { type: 'int' }, no_such: { type: 'text' } } });
    expect(await scene.run(['load', 'events'], misfit)).toMatchObject({ code: 3 });
    const { code, lines } = await found(misfit);
    expect([code, lines]).toEqual([
      1,
      [expect.stringMatching(/^load events failing: TARGET_TABLE: .*no_such.*, at \d{4}-.*; /)],
    ]);
    await scene.run(['load', 'events'], load());
    expect(await found(load())).toEqual({ code: 0, lines: [] });
    // Once it has begun, too.
    await scene.run(['load', 'events'], load({ from: 'file:./nowhere/*' }));
    expect((await found(load())).lines).toEqual([expect.stringMatching(/^load events failing: LAKE_NOT_FOUND: /)]);
    const { stdout } = await check(['--json'], load());
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      loads: 1,
      problems: [{ table: null, load: 'events', problem: 'failing', message: expect.any(String) }],
    });
    await scene.run(['load', 'events'], load());
    expect(await found(load())).toEqual({ code: 0, lines: [] });
  });

  test('a target that is away', async () => {
    const { code, lines } = await found(load({ target: 'postgres://someone:hushhush@127.0.0.1:1/none' }));
    expect([code, lines]).toEqual([1, [expect.stringMatching(/^load events target: TARGET_UNREACHABLE: /)]]);
    expect(lines.join()).not.toContain('hushhush');
    await scene.db.query('drop table event');
  });
});

test('--max-lag is a duration, and goes with --check', async () => {
  expect(await check(['--max-lag', 'soon'])).toMatchObject({ code: 2, stderr: expect.stringContaining('USAGE') });
  expect(await scene.run(['status', '--max-lag', '1h'])).toMatchObject({ code: 2 });
});
