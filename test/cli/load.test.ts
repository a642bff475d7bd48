/** `tidemark load` as it is typed, into a real database. */

import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type LoadScene, loadScene } from '../load/support/load-scene.ts';
import { startCli } from '../support/cli.ts';

describe('drops of a folder', () => {
  test('are loaded once; a second load finds nothing new', async () => {
    const scene = await loadScene();
    await scene.drop('a.json.gz', [{ id: 1, kind: 'click', amount: 1.5 }, { id: 2 }]);
    await scene.drop('b/c.jsonl', [{ id: 3, amount: '9.99' }]);
    await scene.drop('_SUCCESS', []);
    expect(await scene.loadJson()).toEqual({
      loads: [
        expect.objectContaining({
          load: 'events',
          state: 'loaded',
          drops: 2,
          rows_in: 3,
          rows_out: 3,
          rows_rejected: 0,
          dead_drops: 0,
          known_drops: 0,
        }),
      ],
    });
    expect(await scene.rows()).toEqual([
      { id: '1', kind: 'click', amount: '1.50' },
      { id: '2', kind: null, amount: null },
      { id: '3', kind: null, amount: '9.99' },
    ]);
    await scene.drop('d.json', [{ id: 1, kind: 'other' }, { id: 4 }]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({
      state: 'loaded',
      drops: 1,
      rows_out: 2,
      rows_known: 1,
      known_drops: 2,
    });
    expect((await scene.loadJson()).loads[0]).toMatchObject({ state: 'nothing', drops: 0, rows_in: 0, known_drops: 3 });
    expect((await scene.rows()).map(({ id, kind }) => [id, kind])).toEqual([
      ['1', 'click'],
      ['2', null],
      ['3', null],
      ['4', null],
    ]);
  });

  test('an overwritten one is loaded again; under `update` its rows replace those that are there', async () => {
    const scene = await loadScene();
    await scene.configure('    on_conflict: update\n');
    await scene.drop('a.json', [
      { id: 1, kind: 'old' },
      { id: 2, kind: 'first' },
      { id: 2, kind: 'last' },
    ]);
    await scene.load();
    await scene.drop('a.json', [{ id: 1, kind: 'newer' }]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ drops: 1, overwritten_drops: 1 });
    expect((await scene.rows()).map(({ kind }) => kind)).toEqual(['newer', 'last']);
  });

  test('with `after` only what sorts after drops that are done is looked for, without it everything', async () => {
    const scene = await loadScene();
    await scene.configure('    after: 1s\n');
    await scene.drop('b.json', [{ id: 1 }]);
    await scene.load();
    await scene.drop('a.json', [{ id: 2 }]);
    await scene.drop('c.json', [{ id: 3 }]);
    await scene.database.query(`update tidemark.load_drop set finished_at = finished_at - interval '1 minute'`);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ drops: 1, known_drops: 0 });
    await scene.configure();
    expect((await scene.loadJson()).loads[0]).toMatchObject({ drops: 1, known_drops: 2 });
  });

  test('one that was only touched changes nothing, also where a later drop has newer rows', async () => {
    const scene = await loadScene();
    await scene.configure('    on_conflict: update\n');
    await scene.drop('a.json.gz', [{ id: 1, kind: 'old' }]);
    await scene.load();
    await scene.drop('b.json', [{ id: 1, kind: 'new' }]);
    await scene.load();
    const file = path.join(scene.cwd, 'drops/a.json.gz');
    for (const time of [1, 2]) {
      await utimes(file, time, time);
      const [load] = (await scene.loadJson()).loads;
      expect(load).toMatchObject({ drops: 1, rows_out: 1, rows_known: 1, overwritten_drops: 0 });
      expect((await scene.rows()).map(({ kind }) => kind)).toEqual(['new']);
    }
    await scene.drop('a.json.gz', [{ id: 1, kind: 'newest' }]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ overwritten_drops: 1 });
    expect((await scene.rows()).map(({ kind }) => kind)).toEqual(['newest']);
  });

  test('filtered, required, defaults, a path', async () => {
    const scene = await loadScene();
    await scene.configure(`      note: { type: text, from: $.meta.note, default: none }
    keep: { kind: [click] }
`);
    await scene.database.query('alter table events add note text');
    await scene.drop('a.json', [
      JSON.stringify({ id: 1, kind: 'click', meta: { note: 'x' } }),
      { id: 2, kind: 'click' },
      { id: 3, kind: 'view' },
      JSON.stringify({ kind: 'click' }),
    ]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({
      rows_in: 4,
      rows_out: 2,
      rows_filtered: 1,
      rows_rejected: 1,
    });
    expect(await scene.database.query('select id::text, note from events order by id')).toEqual([
      { id: '1', note: 'x' },
      { id: '2', note: 'none' },
    ]);
  });

  test('a transform makes none, one or more rows of one; what it throws is the reject', async () => {
    const scene = await loadScene();
    await writeFile(
      path.join(scene.cwd, 'events.ts'),
      `export const transform = (row: { id: number }) => {
  if (row.id === 13) throw new Error('not this one');
  return Array.from({ length: row.id % 3 }, (_, i) => ({ id: row.id * 10 + i }));
};
`,
    );
    await scene.configure('    transform: ./events.ts\n');
    await scene.drop('a.json', [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 13 }]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ rows_in: 4, rows_rejected: 1 });
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['10', '20', '21']);
  });
});

describe('bad rows and drops', () => {
  async function bad(): Promise<LoadScene> {
    const scene = await loadScene();
    await scene.drop('good.json.gz', [{ id: 1 }, '{"id": 2', { id: 'x' }, '', { id: 3, amount: 5000 }, { id: 4 }]);
    await writeFile(path.join(scene.cwd, 'drops/cut.json.gz'), gzipSync('{"id":9}\n').subarray(0, 15));
    return scene;
  }

  test('become rejects and a dead drop; the good rows are loaded, and the exit code is 1', async () => {
    const scene = await bad();
    const { code, stdout } = await scene.load();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^events {2}2 drops \(1 dead\) {2}2 rows, 3 rejected {2}/);
    expect(stdout).toMatch(/cut\.json\.gz +dead: .*gzip/);
    expect(stdout).toMatch(/good\.json\.gz +3 of 5 rows rejected/);
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['1', '4']);
    const rejects = await scene.database.query(
      'select key, line::int, "column", text from tidemark.load_reject order by line',
    );
    expect(rejects).toMatchObject([
      { key: 'good.json.gz', line: 2, text: '{"id": 2' },
      { key: 'good.json.gz', line: 3, column: 'id', text: '{"id":"x"}' },
      { key: 'good.json.gz', line: 5, text: '{"id":3,"amount":5000}' },
    ]);
    // Known by now.
    expect((await scene.load()).code).toBe(0);
  });

  test('--replay takes them again after a fix', async () => {
    const scene = await loadScene();
    await scene.configure('    limits: { inflated: 100B }\n');
    await scene.drop('good.json.gz', [{ id: 1 }, '{"id": 2', { id: 3, amount: 5000 }]);
    await scene.drop('large.json', [{ id: 7, kind: 'x'.repeat(200) }, '{"id": 8']);
    const csv = 'id,kind\n4,"two\nlines"\n5x,other\n';
    await writeFile(path.join(scene.cwd, 'drops/c.csv'), csv);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ dead_drops: 1, rows_rejected: 3 });

    await scene.database.query('alter table events drop constraint events_amount_check');
    await scene.configure();
    expect((await scene.loadJson('--replay')).loads[0]).toMatchObject({
      state: 'loaded',
      drops: 1,
      dead_drops: 0,
      rows_in: 5,
      rows_out: 2,
      rows_rejected: 3,
    });
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['1', '3', '4', '7']);
    const left = await scene.database.query(
      'select key, line::int from tidemark.load_reject where replayed_at is null order by key',
    );
    expect(left).toEqual([
      { key: 'c.csv', line: 4 },
      { key: 'good.json.gz', line: 2 },
      { key: 'large.json', line: 2 },
    ]);

    // What is left of the CSV fits another type of column.
    await scene.database.query('alter table events alter id type text');
    const file = path.join(scene.cwd, 'tidemark.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('id: { type: bigint', 'id: { type: text'));
    expect((await scene.loadJson('--replay')).loads[0]).toMatchObject({ rows_in: 3, rows_out: 1, rows_rejected: 2 });
    expect((await scene.rows()).at(-1)).toMatchObject({ id: '7' });
    expect(await scene.database.query("select kind from events where id = '5x'")).toEqual([{ kind: 'other' }]);
  });

  test('a dead drop that is written anew is a new one', async () => {
    const scene = await bad();
    await scene.load();
    await scene.drop('cut.json.gz', [{ id: 9 }]);
    expect((await scene.loadJson()).loads[0]).toMatchObject({ drops: 1, dead_drops: 0, rows_out: 1 });
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['1', '4', '9']);
  });

  test('--dry-run shows what would happen, and leaves no trace', async () => {
    const scene = await bad();
    const { code, stdout } = await scene.load('--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/good\.json\.gz +1 +1 +NULL +NULL/);
    expect(stdout).toMatch(/cut\.json\.gz: dead: /);
    expect(stdout).toMatch(/good\.json\.gz:2: rejected: /);
    expect(await scene.rows()).toEqual([]);
    expect(await scene.database.query("select 1 from pg_namespace where nspname = 'tidemark'")).toEqual([]);
    const { loads } = await scene.loadJson('--dry-run');
    // The target's own conditions are not known here.
    expect(loads[0].rows.map((row: { line: number; values: object }) => [row.line, row.values])).toEqual([
      [1, { id: '1', kind: null, amount: null }],
      [5, { id: '3', kind: null, amount: '5000' }],
      [6, { id: '4', kind: null, amount: null }],
    ]);
  });

  test('more rejects than reject_limit stop the load', async () => {
    const scene = await loadScene();
    await scene.configure('    reject_limit: 5%\n');
    await scene.drop(
      'a.json',
      Array.from({ length: 20_000 }, (_, id) => (id % 4 === 0 ? '{' : { id })),
    );
    const { loads } = await scene.loadJson();
    expect(loads[0]).toMatchObject({ state: 'failed', error: { code: 'LOAD_REJECTS' } });
    expect(await scene.rows()).toEqual([]);
  });
});

describe('what is asked for', () => {
  test('a load by its name; one that is not there', async () => {
    const scene = await loadScene();
    await scene.drop('a.json', [{ id: 1 }]);
    expect((await scene.load('evens')).stderr).toMatch(/^LOAD_UNKNOWN: .*\nhint: did you mean events\?/);
    expect((await scene.load('evens')).code).toBe(2);
    expect((await scene.load('events')).code).toBe(0);
    expect(await scene.rows()).toHaveLength(1);
  });

  test('days, by a window or by --date', async () => {
    const scene = await loadScene();
    const today = new Date().toISOString().slice(0, 10);
    await scene.configure('', 'file:./drops/{yyyy}-{mm}-{dd}/*');
    await scene.drop(`${today}/a.json`, [{ id: 1 }]);
    await scene.drop('2025-04-19/a.json', [{ id: 2 }]);
    await scene.drop('2025-04-20/a.json', [{ id: 3 }]);
    await scene.drop('2025-04-21/a.json', [{ id: 4 }]);
    await scene.load();
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['1']);
    await scene.load('--date', '2025-04-19..2025-04-20');
    expect((await scene.rows()).map(({ id }) => id)).toEqual(['1', '2', '3']);
    await scene.configure();
    expect(await scene.load('--date', '2025-04-19')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('USAGE'),
    });
    expect(await scene.load('--date', 'today')).toMatchObject({ code: 2 });
  });

  test('--create prints a table that the load then fills', async () => {
    const scene = await loadScene();
    const { stdout, code } = await scene.load('--create');
    expect(code).toBe(0);
    await scene.database.query('drop table events');
    expect(await scene.load()).toMatchObject({ code: 3, stdout: expect.stringContaining('TARGET_TABLE') });
    await scene.database.query(stdout);
    await scene.drop('a.json', [{ id: 1 }]);
    expect((await scene.load()).code).toBe(0);
    expect(await scene.rows()).toHaveLength(1);
  });

  test('one load that fails leaves the others be', async () => {
    const scene = await loadScene();
    await scene.drop('a.json', [{ id: 1 }]);
    await scene.configure(`  - load: nowhere
    from: file:./missing/*
    into: events
    target: "${scene.database.url}"
    key: id
    columns: { id: { type: bigint } }
`);
    const { loads } = await scene.loadJson();
    expect(loads).toMatchObject([
      { state: 'loaded' },
      { load: 'nowhere', state: 'failed', error: { code: 'LAKE_NOT_FOUND' } },
    ]);
    expect((await scene.load()).code).toBe(1);
  });
});

describe('as processes', () => {
  const many = async (scene: LoadScene, drops: number) => {
    for (let i = 0; i < drops; i++)
      await scene.drop(
        `${i}.json.gz`,
        Array.from({ length: 50 }, (_, j) => ({ id: i * 50 + j, amount: j })),
      );
  };

  test('two at once load every drop once', async () => {
    const scene = await loadScene();
    await many(scene, 1500);
    const runs = [1, 2].map(() => startCli(['load', '--json'], { cwd: scene.cwd }).ended);
    const ended = await Promise.all(runs);
    expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, expect.anything()],
      [0, expect.anything()],
    ]);
    const loads = ended.map(({ stdout }) => JSON.parse(stdout).loads[0]);
    expect(loads[0].drops + loads[1].drops).toBe(1500);
    expect(loads[0].rows_out + loads[1].rows_out).toBe(75_000);
    expect(loads[0].rows_known + loads[1].rows_known).toBe(0);
    const [counted] = await scene.database.query('select count(*)::int as n, sum(amount)::int as sum from events');
    expect(counted).toEqual({ n: 75_000, sum: 1500 * 1225 });
    const [ledger] = await scene.database.query(
      "select count(*)::int as n, sum(rows_out)::int as rows from tidemark.load_drop where state = 'loaded'",
    );
    expect(ledger).toEqual({ n: 1500, rows: 75_000 });
  });

  test('a signal ends it with 130, nothing half; the next load goes on at once', async () => {
    const scene = await loadScene();
    await many(scene, 1500);
    // Holds the load up in its first INSERT.
    await scene.database.query('begin; lock table events in exclusive mode');
    const run = startCli(['load'], { cwd: scene.cwd });
    const other = async () => {
      const { default: pg } = await import('pg');
      const client = new pg.Client({ connectionString: scene.database.url });
      await client.connect();
      for (let waits = 0; waits === 0; await delay(20)) {
        const { rows } = await client.query(
          "select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        waits = rows[0].n;
      }
      await client.end();
    };
    await other();
    run.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    await scene.database.query('rollback');
    const [before] = await scene.database.query(
      'select (select count(*)::int from events) as n, sum(rows_out)::int as rows from tidemark.load_drop',
    );
    expect(before.n).toBe(before.rows ?? 0);
    const { loads } = await scene.loadJson();
    expect(loads[0]).toMatchObject({ state: 'loaded' });
    expect((await scene.rows()).length).toBe(75_000);
    await rm(path.join(scene.cwd, 'drops'), { recursive: true });
  });
});
