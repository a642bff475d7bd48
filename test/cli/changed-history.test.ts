/** What people and scripts are told when the source has another history than the mark. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { createDatabase } from '../support/postgres.ts';

test('another history is said by export and status until a full run', async () => {
  await using db = await createDatabase();
  await db.query(`create table t (id int primary key, updated_at timestamptz not null default now());
    create table scanned (id int primary key); insert into t values (1); insert into scanned values (1)`);
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-history-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  await writeFile(path.join(cwd, 'tidemark.yaml'), `source: { url: "\${DATABASE_URL}" }\nlake: file:./lake\n`);
  const run = (...args: string[]) => runHere(args, { cwd, env: { DATABASE_URL: db.url } });
  const historyOf = async () => {
    const { stdout } = await run('status', '--json');
    return Object.fromEntries(
      JSON.parse(stdout).tables.map((each: { table: string; history: object | null }) => [each.table, each.history]),
    );
  };
  await run('export', '--all');
  expect(await historyOf()).toEqual({ 'public.scanned': null, 'public.t': null });
  // As a failover leaves it: the server is further on than its mark's timeline.
  await db.query(`update tidemark.source_table set mark = jsonb_set(mark, '{history,timeline}', '"7"')`);
  const exported = JSON.parse((await run('export', '--all', '--json')).stdout).tables;
  const told = exported.map((each: Record<string, unknown>) => [each.table, each.state, each.rows, each.history]);
  expect(told.sort()).toEqual([
    ['public.scanned', 'committed', 1, 'changed'],
    ['public.t', 'committed', 1, 'changed'],
  ]);
  const why = 'the source is on timeline 1 instead of 7';
  expect(await historyOf()).toEqual({ 'public.scanned': null, 'public.t': { changed_at: expect.any(String), why } });
  const again = await run('export', '--all');
  expect(again.stdout).not.toContain('timeline');
  expect((await run('status')).stdout).toMatch(
    /public\.t: the source is on timeline 1 instead of 7, since 20.*\n {2}hint: .*export --full/,
  );
  await run('export', '--table', 't', '--full');
  expect(await historyOf()).toEqual({ 'public.scanned': null, 'public.t': null });
});

test('one line for all tables of a reason, and the hint once', async () => {
  await using db = await createDatabase();
  await db.query('create table a (id int primary key); create table b (id int primary key)');
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-history-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  await writeFile(path.join(cwd, 'tidemark.yaml'), `source: { url: "\${DATABASE_URL}" }\nlake: file:./lake\n`);
  const run = (...args: string[]) => runHere(args, { cwd, env: { DATABASE_URL: db.url } });
  await run('export', '--all');
  await db.query(`update tidemark.source_table set mark = jsonb_set(mark, '{history,system}', '"1"')`);
  const { stdout } = await run('export', '--all');
  expect(stdout).toContain('2 tables: the source is another system\n  hint: ');
});
