import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createCompactor } from '../support/compactor.ts';
import { never } from '../support/state.ts';
import { createStatusScene, type StatusScene, shownError } from '../support/status-scene.ts';

const TABLE = 'create table invoice (id bigint primary key, note text, updated_at timestamptz not null default now())';
const EVIL = `<img src=x onerror="alert(1)">'&`;
const ESCAPED = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;';

async function withInvoice(scene: StatusScene, note = 'a note'): Promise<void> {
  await scene.database.query(TABLE);
  await scene.database.query('insert into invoice values (1, $1), (2, null)', [note]);
  await scene.exporter.run('invoice');
}

/** Text as people see it: without tags, spaces as one. */
const seen = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ');

test('before anything was exported the page says so', async () => {
  await using scene = await createStatusScene();
  const { text } = await scene.get('/');
  expect(seen(text)).toContain('Nothing exported yet');
  expect(seen(text)).toContain('Tables of the source that tables: names or matches show here within a minute.');
});

test('a table’s line: lag, last run, rows, late rows, watermark, staged version, what waits, next run', async () => {
  await using scene = await createStatusScene();
  await scene.database.query(TABLE);
  await scene.database.query(`insert into invoice values (1, 'one'), (2, 'two')`);
  // Open while the others are exported, so that its row is late.
  await scene.database.query('begin');
  await scene.database.query(`insert into invoice values (3, 'three')`);
  await scene.exporter.run('invoice');
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  await scene.database.query('commit');
  await scene.exporter.run('invoice');
  scene.board.set({ kind: 'export', name: 'public.invoice' }, { nextAt: Date.now() + 300_000 });
  const { text } = await scene.get('/');
  const line = seen(/<tbody[^>]*id="t-invoice".*?<\/tbody>/s.exec(text)![0]);
  expect(line).toMatch(/^ public\.invoice \d s \d s 1 1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d v0 1 in 5 min $/);
  expect(seen(text)).toContain('All well');
});

test('the filter works without a script', async () => {
  await using scene = await createStatusScene();
  for (const name of ['public.one', 'public.two']) scene.board.set({ kind: 'export', name }, {});
  const { text } = await scene.get('/?q=TWO');
  expect(text).toContain('public.two');
  expect(text).not.toContain('public.one');
  expect(seen((await scene.get('/?q=three')).text)).toContain('No table is called so.');
});

test('what fails is first, with code, hint, since when and when it is tried again', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  const trouble = {
    times: 4,
    since: Date.now() - 600_000,
    retryAt: Date.now() + 600_000,
    slow: true,
    error: { code: 'VALUE_UNFIT', message: 'NaN has no place', hint: 'set `on_unfit`' },
  };
  scene.board.set({ kind: 'compact', name: 'public.invoice' }, { trouble });
  scene.board.reach('lake', { since: Date.now() - 120_000, error: shownError('no answer', 'look at the network') });
  const words =
    'compaction fails for 10 min , 4 times, next try in 10 min (rarely now) VALUE_UNFIT NaN has no place set on_unfit';
  for (const page of ['/', '/tables/invoice']) {
    const text = seen((await scene.get(page)).text);
    expect(text).toContain(words);
  }
  const first = seen((await scene.get('/')).text);
  expect(first).toContain('Lake is away, 1 table failing');
  expect(first).toContain('lake cannot be reached for 2 min SOURCE_UNREACHABLE no answer look at the network');
});

test('a table’s own page: runs, raw files, versions, columns, and rows when somebody asks', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  const page = seen((await scene.get('/tables/invoice')).text);
  expect(page).toMatch(/Runs .* export, full .* 2 0 1 [\d.]+ K?B done/);
  expect(page).toMatch(/raw\/invoice\/load_date=\d{4}-\d\d-\d\d\/run-\d{12}-\w{12}-00000\.parquet/);
  expect(page).toMatch(/Versions of the staged table .* 0 \d s 2 0 0 \+1 −0 WRITE tidemark\//);
  expect(page).toContain('id long, key note string updated_at timestamp, UTC');
  expect(page).not.toContain('a note');
  const sample = seen((await scene.get('/tables/invoice?sample=1')).text);
  expect(sample).toMatch(/id note updated_at 1 a note \S+ \S+ 2 null/);
});

test('of a merged table with deletion vectors the sample leaves deleted rows out', async () => {
  await using scene = await createStatusScene();
  await scene.database.query(TABLE);
  await scene.database.query(`insert into invoice select g, 'old ' || g from generate_series(1, 40) g`);
  await scene.exporter.run('invoice');
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice', { merge: 'vectors' });
  await scene.database.query(`update invoice set note = 'new', updated_at = now() where id in (1, 2)`);
  await scene.exporter.run('invoice');
  await compactor.compact('invoice', { merge: 'vectors' });
  const { text } = await scene.get('/tables/invoice?sample=1');
  expect(seen(text)).toContain('3 old 3');
  expect(seen(text)).not.toMatch(/old [12] /);
});

test('values, names, errors and rejects are text, whatever they hold', async () => {
  await using scene = await createStatusScene({
    yaml: `loads:\n  - { load: '${EVIL.replaceAll("'", "''")}', from: 'file:./d/*', into: events, target: \${TARGET}, key: [id], columns: { id: { type: text } } }`,
    env: { TARGET: 'postgres://nobody@127.0.0.1:1/none' },
  });
  await withInvoice(scene, EVIL);
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  const error = { code: 'INTERNAL', message: EVIL, hint: EVIL };
  const trouble = { times: 1, since: Date.now(), retryAt: Date.now(), slow: false, error };
  scene.board.set({ kind: 'export', name: 'public.invoice' }, { trouble });
  scene.board.set({ kind: 'export', name: EVIL }, { trouble });
  scene.board.reach(EVIL, { since: Date.now(), error });
  const ended = { at: Date.now(), run: EVIL, outcome: 'failed', rows: 0, lateRows: 0, bytes: 0, seconds: 0 } as const;
  scene.board.end({ kind: 'export', name: EVIL, ...ended, error });
  const load = `/loads/${encodeURIComponent(EVIL)}`;
  for (const page of ['/', '/?q=%3Cimg', '/tables/invoice?sample=1', load]) {
    const { status, text } = await scene.get(page);
    expect([page, status]).toEqual([page, 200]);
    expect(text).toContain(ESCAPED);
    expect(text).not.toContain('<img');
  }
});

test('a table’s page: its last reconciliation, the next one, and one that fails', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  const page = async () => seen((await scene.get('/tables/invoice')).text);
  expect(await page()).toContain('Last reconciliation – Deleted rows found –');
  await scene.exporter.state.done.noteReconciled('public.invoice', 3n, never);
  scene.board.set({ kind: 'reconcile', name: 'public.invoice' }, { nextAt: Date.now() + 7_200_000 });
  await expect.poll(page).toMatch(/Next reconciliation in 2\.0 h .*Last reconciliation \d+ s Deleted rows found 3/);
  const ended = { at: Date.now(), run: null, outcome: 'nothing', rows: 0, lateRows: 0, bytes: 0, seconds: 0 } as const;
  scene.board.end({ kind: 'reconcile', name: 'public.invoice', ...ended, error: null, reason: 'it has no key' });
  expect(await page()).toMatch(/Not reconciled, \d+ s ago: it has no key/);
  expect(seen((await scene.get('/')).text)).toMatch(/reconcile public\.invoice .*nothing .* it has no key/);
  const error = { code: 'RECONCILE_MANY', message: '1,200 of 1,300 rows', hint: 'tidemark reconcile --accept-deletes' };
  const trouble = { times: 2, since: Date.now(), retryAt: Date.now() + 3_600_000, slow: true, error };
  scene.board.set({ kind: 'reconcile', name: 'public.invoice' }, { trouble });
  const failing = await page();
  expect(failing).toMatch(/reconciliation fails for .*RECONCILE_MANY 1,200 of 1,300 rows tidemark reconcile/);
  expect(failing).toContain('Retry reconciliation');
  const { text } = await scene.get('/metrics');
  expect(text).toContain('tidemark_failing{kind="reconcile",table="public.invoice"} 2');
  expect(text).toMatch(/^tidemark_reconciled_seconds\{table="public\.invoice"\} [\d.]+$/m);
});

test('a table that is not there, and a load', async () => {
  await using scene = await createStatusScene();
  for (const page of ['/tables/nothing', '/loads/nothing', '/tables/..%2f..%2fetc', '/nowhere']) {
    expect((await scene.get(page)).status).toBe(404);
  }
});

test('a part that cannot be had does not hide the others', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  const log = `${scene.exporter.lakeDir}/staged/invoice/_delta_log/00000000000000000000.json`;
  await writeFile(log, 'no JSON\n');
  const text = seen((await scene.get('/tables/invoice')).text);
  expect(text).toContain('Cannot be shown: STAGED_BROKEN');
  expect(text).toContain('export, full');
});

test('without a token buttons say why they cannot be used, and a form is refused', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  const { text } = await scene.get('/tables/invoice');
  expect(text.match(/<button[^>]*>/g)).toEqual([
    '<button disabled aria-describedby="why-not">',
    '<button disabled aria-describedby="why-not">',
    '<button disabled aria-describedby="why-not">',
  ]);
  expect(seen(text)).toContain('Buttons need a status.token');
  expect((await scene.post('/tables/invoice/export')).status).toBe(403);
  expect(scene.asked).toEqual([]);
});

const TOKEN = 'correct horse battery staple';
const bearer = { authorization: `Bearer ${TOKEN}` };

test.each([
  ['/tables/invoice/export', { kind: 'export', name: 'public.invoice', replay: false }],
  ['/tables/invoice/compact', { kind: 'compact', name: 'public.invoice', replay: false }],
  ['/tables/invoice/reconcile', { kind: 'reconcile', name: 'public.invoice', replay: false }],
  ['/loads/events/load', { kind: 'load', name: 'events', replay: false }],
  ['/loads/events/replay', { kind: 'load', name: 'events', replay: true }],
])('with the token %s asks the daemon', async (path, asked) => {
  await using scene = await createStatusScene({
    token: TOKEN,
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: 'postgres://nobody@127.0.0.1:1/none', key: [id], columns: { id: { type: text } } }]`,
  });
  await withInvoice(scene);
  const answer = await scene.post(path, {}, bearer);
  const page = path.slice(0, path.lastIndexOf('/'));
  expect([answer.status, answer.headers.get('location')]).toEqual([303, `${page}?asked=queued`]);
  expect(scene.asked).toEqual([asked]);
  expect(seen((await scene.get(`${page}?asked=queued`, bearer)).text)).toContain('Asked for: it begins');
  expect((await scene.get(path, bearer)).status).toBe(404);
});

test('the page is there while the state store is away, with what was known', async () => {
  await using scene = await createStatusScene();
  await withInvoice(scene);
  expect((await scene.get('/')).text).toContain('public.invoice');
  await scene.exporter.state[Symbol.asyncDispose]();
  scene.board.reach('state', { since: Date.now(), error: shownError('no answer') });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const { text } = await scene.get('/');
  expect(seen(text)).toContain('State store is away');
  expect(text).toContain('public.invoice');
});
