import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { createDatabase } from '../support/postgres.ts';
import { never, openAt, PLAN, prepare, take } from '../support/state.ts';

const STAGED = { version: 3n, throughRun: 1n, rows: 1_234n, files: 2n, bytes: 88_000_000n, compacted: true };

/** A shop with three tables whose state the tests write themselves. */
async function shop() {
  const db = await createDatabase();
  const store = await openAt(db.url);
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-status-'));
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
    await rm(cwd, { recursive: true });
  });
  await writeFile(path.join(cwd, 'tidemark.yaml'), `source: { url: "\${DATABASE_URL}" }\nlake: file:./lake\n`);
  const tidemark = async (...args: string[]) => (await runHere(args, { cwd, env: { DATABASE_URL: db.url } })).stdout;
  return {
    store,
    text: () => tidemark('status'),
    lines: async () => (await tidemark('status')).split('\n').map((line) => line.replaceAll(/ {2,}/g, '|')),
    json: async () => JSON.parse(await tidemark('status', '--json')).tables,
    staged: async () => (await doctorOf(tidemark)).filter(({ check }) => check === 'staged'),
    query: (text: string) => db.query(text),
    /** A committed run. */
    async export(table: string, { full = false, keyed = true, minutes = 0 } = {}): Promise<bigint> {
      const { lease } = await take(store, table);
      const at = PLAN.snapshotAt + BigInt(minutes) * 60_000_000n;
      const run = await prepare(store, lease, { full, snapshotAt: at });
      await store.commit(lease, run, never);
      await store.release([lease]);
      const columns = keyed ? `jsonb_set(columns, '{0,key}', '1')` : 'columns';
      await db.query(`update tidemark.source_table set unfit = '{}', columns = ${columns} where folder = $1`, [table]);
      return run;
    },
    async compact(table: string, through: bigint | null): Promise<void> {
      const { lease } = await take(store, table, 'c', 60_000, 'compact');
      await store.staged(lease, { ...STAGED, throughRun: through }, never);
      await store.release([lease]);
    },
  };
}

type Check = { check: string; state: string; found: string; remedy: string | null; table?: string };
const doctorOf = async (tidemark: (...args: string[]) => Promise<string>): Promise<Check[]> =>
  JSON.parse(await tidemark('doctor', '--json')).checks;

test('before the first compaction status and doctor say nothing of staged tables', async () => {
  const { text, json, staged, ...shopping } = await shop();
  await shopping.export('invoice');
  expect(await text()).not.toContain('staged');
  expect(await json()).toMatchObject([{ staged: null }]);
  expect(await staged()).toEqual([]);
});

test('what waits for a compaction, in how many rows and for how long', async () => {
  const { json, lines, staged, query, compact, ...shopping } = await shop();
  await compact('invoice', await shopping.export('invoice', { full: true }));
  await shopping.export('track');
  expect((await lines()).slice(-3)).toEqual([
    'staged|version|rows|files|size|waiting|for|as of',
    'public.invoice|3|1,234|2|88 MB|-|-|2026-07-01 10:00:00+00',
    '',
  ]);
  expect(await staged()).toMatchObject([{ state: 'ok', found: '1 staged table, none late', remedy: null }]);

  await shopping.export('invoice', { minutes: 1 });
  await shopping.export('invoice', { minutes: 2 });
  await query(`update tidemark.run set finished_at = now() - interval '3 hours' where run = 3`);
  expect(await lines()).toContain('public.invoice|3|1,234|2|88 MB|6 rows|3.0 h|2026-07-01 10:00:00+00');
  expect((await json())[0].staged).toEqual({
    version: 3,
    through_run: 1,
    as_of: '2026-07-01T10:00:00.123456Z',
    rows: 1234,
    files: 2,
    bytes: 88_000_000,
    checked_at: expect.any(String),
    compacted_at: expect.any(String),
    optimized_at: null,
    waiting_runs: 2,
    waiting_rows: 6,
    waiting_bytes: 402,
    waiting_since: expect.any(String),
    stale: false,
    failure: null,
    lease: null,
  });
  expect(await staged()).toMatchObject([{ state: 'ok' }]);

  await query(`update tidemark.run set finished_at = now() - interval '3 days' where run = 3`);
  expect(await staged()).toMatchObject([
    {
      state: 'warn',
      table: 'public.invoice',
      found: 'public.invoice: 6 exported rows have waited for a compaction for 3 d',
      remedy: 'tidemark compact --table public.invoice, and put it on a schedule',
    },
  ]);
  await compact('invoice', 4n);
  expect(await staged()).toMatchObject([{ state: 'ok' }]);
});

test('a failed compaction has a line of its own, and the export is not blamed', async () => {
  const { store, json, lines, staged, compact, ...shopping } = await shop();
  const run = await shopping.export('invoice');
  await compact('track', await shopping.export('track'));
  const { lease } = await take(store, 'invoice', 'c', 60_000, 'compact');
  await store.fail(lease, null, { code: 'STAGED_BROKEN', message: 'a file is gone', hint: 'compact --rebuild' });
  const shown = await lines();
  expect(shown).toContainEqual(expect.stringMatching(/^public\.invoice\|-\|-\|-\|-\|3 rows\|[\d.]+ s\|-\|failed$/));
  const failed = shown.findIndex((line) => line.includes('STAGED_BROKEN'));
  expect(shown.slice(failed, failed + 2)).toEqual([
    expect.stringMatching(/^public\.invoice was not compacted at \S+ \S+: STAGED_BROKEN: a file is gone$/),
    '|hint: compact --rebuild',
  ]);
  expect((await json())[0]).toMatchObject({
    failure: null,
    staged: { version: null, failure: { error: { code: 'STAGED_BROKEN' } }, lease: { holder: 'c', expired: false } },
  });
  expect(await staged()).toMatchObject([
    { state: 'ok', found: '1 staged table, none late' },
    { state: 'warn', table: 'public.invoice', remedy: 'compact --rebuild' },
  ]);
  await store.staged(lease, { ...STAGED, throughRun: run }, never);
  expect((await lines()).join()).not.toContain('STAGED_BROKEN');
  expect(await lines()).toContain('public.invoice|3|1,234|2|88 MB|-|-|2026-07-01 10:00:00+00|held by c');
});

test('without a key the staged copy is as old as its last full run: stale once something else was exported', async () => {
  const { json, lines, staged, query, compact, ...shopping } = await shop();
  const stale = async () => (await json())[0].staged.stale;
  const keyless = { keyed: false };
  await query(`create function at(r bigint, ago interval) returns void language sql as
    $$ update tidemark.run set snapshot_at = now() - ago where run = r $$`);
  const at = (run: bigint, ago: string) => query(`select at(${run}, '${ago}')`);
  const first = await shopping.export('log', { ...keyless, full: true });
  await at(first, '6 days');
  await compact('log', first);
  expect(await stale()).toBe(false);
  // Nothing new, but the deletes of a week are unknown.
  await at(first, '8 days');
  expect(await stale()).toBe(true);
  await at(first, '6 days');
  const more = await shopping.export('log', keyless);
  await at(more, '1 hour');
  expect(await stale()).toBe(true);
  const day = new Date(Date.now() - 6 * 86_400_000).toISOString().slice(0, 10);
  const shown = await lines();
  expect(shown[shown.length - 5]).toMatch(/\|stale$/);
  expect(shown.slice(-4)).toEqual([
    '',
    expect.stringMatching(
      `^public.log: without a key its staged copy is from the full run of ${day} \\S+, and what was exported since cannot be merged$`,
    ),
    expect.stringMatching(/^\|hint: give it a key .* tidemark export --full --table public\.log$/),
    '',
  ]);
  expect(await staged()).toMatchObject([{ state: 'warn', found: expect.stringContaining('without a key') }]);
  // A full run that waits is all that it needs.
  const again = await shopping.export('log', { ...keyless, full: true });
  await at(again, '1 minute');
  expect(await stale()).toBe(false);
  await compact('log', again);
  expect(await stale()).toBe(false);
});

test('a table with a key is never stale, however old its last full run is', async () => {
  const { json, compact, query, ...shopping } = await shop();
  await compact('invoice', await shopping.export('invoice', { full: true }));
  await shopping.export('invoice', { minutes: 1 });
  await query(`update tidemark.run set snapshot_at = snapshot_at - interval '100 days'`);
  expect((await json())[0].staged.stale).toBe(false);
});
