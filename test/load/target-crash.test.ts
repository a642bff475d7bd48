/** Processes that are killed at every named step of a load: the next one loads the rest, and every row is there once. */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';
import type { LoadOrder } from './child/load-target.ts';

const PAGES = [0, 1, 2, 3].map((page) => [0, 1, 2].map((i) => String(page * 3 + i)));

/** Resolves with what the process printed, or the signal that ended it. */
function run(order: LoadOrder): Promise<string> {
  const child = spawn('node', [path.join(ROOT, 'test/load/child/load-target.ts'), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${path.join(ROOT, 'node_modules/.bin')}:${process.env.PATH}` },
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      code === 0 ? resolve(out.trim()) : signal ? resolve(signal) : reject(new Error(`ended with ${code}`)),
    );
  });
}

async function prepared(): Promise<TestDatabase> {
  const db = await createDatabase();
  await db.query('create table events (id bigint primary key check (id > 0), name text, amount numeric)');
  return db;
}

async function expectAll(db: TestDatabase): Promise<void> {
  expect(
    await db.query(
      'select count(*)::int as n, sum(amount)::int as sum, count(distinct name)::int as names from events',
    ),
  ).toEqual([{ n: 121, sum: 121, names: 13 }]);
  expect(
    await db.query(`select state, count(*)::int as drops, sum(rows_in)::int as "in", sum(rows_out)::int as out, sum(rows_rejected)::int as rejected,
      sum(rows_known)::int as known from tidemark.load_drop group by state`),
  ).toEqual([{ state: 'loaded', drops: 12, in: 144, out: 132, rejected: 12, known: 11 }]);
  expect(
    await db.query('select count(*)::int as n, count(distinct (key, line))::int as lines from tidemark.load_reject'),
  ).toEqual([{ n: 12, lines: 12 }]);
}

test.each(['claimed', 'locked', 'inserted', 'finished', 'committed'])(
  'killed at “%s”: the next load does the rest',
  async (step) => {
    await using db = await prepared();
    expect(await run({ url: db.url, connections: 2, pages: PAGES, at: { step, nth: 2 } })).toBe('SIGKILL');
    // What takes a minute otherwise.
    await db.query('update tidemark.load_worker set expires_at = clock_timestamp()');
    const loaded = step === 'committed' ? 2 : 1;
    expect(await db.query(`select count(*)::int / 3 as n from tidemark.load_drop where state = 'loaded'`)).toEqual([
      { n: loaded },
    ]);
    expect(await run({ url: db.url, connections: 2, pages: PAGES, at: null })).toBe(String(12 - 3 * loaded));
    await expectAll(db);
  },
);

test('of three processes that share a load one is killed: the others take its drops over', async () => {
  await using db = await prepared();
  const order = { url: db.url, connections: 2, pages: PAGES, at: null };
  const ended = await Promise.all([
    run({ ...order, at: { step: 'inserted', nth: 1 } }),
    run({ ...order, pages: PAGES.slice(1) }),
    run({ ...order, pages: PAGES.slice(2) }),
  ]);
  expect(
    ended
      .slice(1)
      .map(Number)
      .every((n) => n >= 0),
  ).toBe(true);
  await db.query('update tidemark.load_worker set expires_at = clock_timestamp()');
  await run(order);
  await expectAll(db);
});
