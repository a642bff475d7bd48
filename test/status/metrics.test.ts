import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { createCompactor } from '../support/compactor.ts';
import { ROOT } from '../support/postgres-server.ts';
import { createStatusScene, shownError } from '../support/status-scene.ts';

const ended = { run: '1', lateRows: 0, rows: 0, bytes: 0, seconds: 1, error: null } as const;

test('gauges are what holds now, counters what the daemon told since it started', async () => {
  await using scene = await createStatusScene({
    deps: { sourceConnections: () => 2, oldestForeign: () => 7.5, spoolBytes: async () => 4096 },
  });
  const { board, database, exporter } = scene;
  await database.query('create table invoice (id bigint primary key, updated_at timestamptz not null default now())');
  await database.query('insert into invoice select generate_series(1, 10)');
  await exporter.run('invoice');
  await using compactor = await createCompactor(exporter);
  await compactor.compact('invoice');
  await database.query('insert into invoice select generate_series(11, 13)');
  await exporter.run('invoice');
  const work = { kind: 'export', name: 'public.invoice' } as const;
  const error = shownError('gone');
  board.end({ ...work, ...ended, at: 1, outcome: 'done', rows: 10, lateRows: 2, bytes: 500 });
  board.end({ ...work, ...ended, at: 2, outcome: 'done', rows: 3, bytes: 100, seconds: 20 });
  board.end({ ...work, ...ended, at: 3, outcome: 'failed', error });
  board.end({ kind: 'load', name: 'events', ...ended, at: 4, outcome: 'done', rows: 7 });
  const trouble = { times: 2, since: Date.now() - 60_000, retryAt: Date.now(), slow: false, error };
  board.set(work, { trouble, running: { since: Date.now(), rows: 0, bytes: 0 } });
  board.reach('lake', { since: Date.now(), error });
  const { text, headers } = await scene.get('/metrics');
  expect(headers.get('content-type')).toContain('text/plain');
  for (const line of [
    'tidemark_rows_total{kind="export",table="public.invoice"} 13',
    'tidemark_rows_total{kind="load",load="events"} 7',
    'tidemark_bytes_total{kind="export",table="public.invoice"} 600',
    'tidemark_late_rows_total{table="public.invoice"} 2',
    'tidemark_runs_total{kind="export",table="public.invoice",outcome="done"} 2',
    'tidemark_failures_total{kind="export",table="public.invoice"} 1',
    'tidemark_failures_total{kind="load",load="events"} 0',
    'tidemark_run_seconds_bucket{le="3",kind="export"} 1',
    'tidemark_run_seconds_count{kind="export"} 2',
    'tidemark_waiting_rows{table="public.invoice"} 3',
    'tidemark_failing{kind="export",table="public.invoice"} 2',
    'tidemark_running{kind="export"} 1',
    'tidemark_away{service="lake"} 1',
    'tidemark_away{service="source"} 0',
    'tidemark_source_connections 2',
    'tidemark_oldest_foreign_transaction_seconds 7.5',
    'tidemark_spool_bytes 4096',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  const value = (name: string) =>
    Number(new RegExp(`^tidemark_${name}\\{table="public.invoice"\\} (.*)$`, 'm').exec(text)?.[1]);
  for (const name of ['lag_seconds', 'staged_lag_seconds', 'waiting_seconds']) {
    expect(value(name)).toBeGreaterThan(0);
    expect(value(name)).toBeLessThan(60);
  }
  board.forget(work);
  board.reach('lake', null);
  const after = (await scene.get('/metrics')).text;
  expect(after).not.toContain('tidemark_failing{');
  expect(after).toContain('tidemark_away{service="lake"} 0');
});

test('every metric is in the docs, and the docs have no other', async () => {
  await using scene = await createStatusScene();
  const { text } = await scene.get('/metrics');
  const answered = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const docs = await readFile(path.join(ROOT, 'docs/status-page.md'), 'utf8');
  const documented = [...docs.matchAll(/^\| `(tidemark_\w+)/gm)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual(answered.toSorted());
});

test('/healthz says that the process lives, /readyz what is away, in a code alone', async () => {
  await using scene = await createStatusScene({ token: 'a token that is long' });
  expect((await scene.get('/readyz')).status).toBe(200);
  scene.board.reach('lake', { since: 0, error: shownError('lake.internal does not answer') });
  expect((await scene.get('/readyz')).status).toBe(200);
  const since = Date.parse('2026-07-01T10:00:00Z');
  scene.board.reach('source', { since, error: shownError('db.internal does not answer') });
  const { status, text } = await scene.get('/readyz');
  expect([status, JSON.parse(text)]).toEqual([
    503,
    { ready: false, away: [{ service: 'source', since: '2026-07-01T10:00:00.000Z', code: 'SOURCE_UNREACHABLE' }] },
  ]);
  expect((await scene.get('/healthz')).status).toBe(200);
  scene.board.reach('source', null);
  expect((await scene.get('/readyz')).status).toBe(200);
});

test('/api/status says of the tables what status --json says, and what the daemon knows', async () => {
  await using scene = await createStatusScene();
  const { board, database, exporter } = scene;
  await database.query('create table invoice (id bigint primary key, updated_at timestamptz not null default now())');
  await database.query('insert into invoice values (1)');
  await exporter.run('invoice');
  board.set({ kind: 'export', name: 'public.invoice' }, { nextAt: Date.parse('2026-07-01T10:00:00Z') });
  const answer = JSON.parse((await scene.get('/api/status')).text);
  const cwd = await mkdtemp('/tmp/tidemark-api-');
  await writeFile(path.join(cwd, 'tidemark.yaml'), `source: { url: '${database.url}' }\nlake: file:./lake\n`);
  const told = JSON.parse((await runHere(['status', '--json'], { cwd })).stdout);
  await rm(cwd, { recursive: true });
  // The clock went on in between.
  for (const { tables } of [answer, told]) for (const table of tables) table.lag_seconds = 0;
  expect(answer.tables).toEqual(told.tables);
  expect(answer.daemon.works).toEqual([
    { kind: 'export', name: 'public.invoice', running: null, next_at: '2026-07-01T10:00:00.000Z', trouble: null },
  ]);
});
