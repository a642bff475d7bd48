import { expect, test } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';
import { createStatusScene, type StatusScene } from '../support/status-scene.ts';

const seen = (html: string) => html.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');

function sceneWith(target: TestDatabase): Promise<StatusScene> {
  return createStatusScene({
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: '${target.url}', key: [id], columns: { id: { type: bigint } } }]`,
  });
}

/** One drop with a row and two rejects, and one that is dead. */
async function load(target: TestDatabase): Promise<void> {
  await target.query(EVENTS);
  await using opened = await openTarget(settingsOf(target.url));
  const claimed = await opened.claim([drop('good.jsonl'), drop('bad.jsonl.gz')], never);
  const [good, bad] = batchOf(claimed, () => [[1, 'one', 1]]);
  if (good.read.state !== 'parsed') throw new Error('not parsed');
  good.read.rejects = [
    { line: 2, column: 'id', reason: 'is no bigint', text: '{"id":"x"}' },
    { line: 3, column: null, reason: 'is no JSON', text: '<b>no json</b>' },
  ];
  good.read.counts = { ...good.read.counts, rowsIn: 3, rejected: 2 };
  const dead = { ...bad, read: { state: 'dead' as const, reason: 'its gzip is cut off' } };
  await opened.load([good, dead] as Parameters<typeof opened.load>[0], originals, never);
}

test('before the first drop there is nothing to tell', async () => {
  await using target = await createDatabase();
  await using scene = await sceneWith(target);
  const page = seen((await scene.get('/loads/events')).text);
  expect(page).toMatch(/Drops done 0 Drops dead 0 .* Rejects that wait 0/);
  expect(page).toContain('Dead drops None. Rejects None.');
});

test('a load’s page: what was done, dead drops with why, rejects with line, reason and text', async () => {
  await using target = await createDatabase();
  await load(target);
  await using scene = await sceneWith(target);
  const { text } = await scene.get('/loads/events');
  const page = seen(text);
  expect(page).toMatch(/Drops done 1 Drops dead 1 Drops under way 0 .* Rejects that wait 2 Rows read 3 Rows loaded 1/);
  expect(page).toMatch(/bad\.jsonl\.gz its gzip is cut off/);
  expect(page).toMatch(/good\.jsonl 3 – is no JSON &lt;b&gt;no json&lt;\/b&gt; 1/);
  expect(page).toMatch(/good\.jsonl 2 id is no bigint/);
  expect(text).not.toContain('<b>');
});

test('the first page and the metrics count them once the target has answered', async () => {
  await using target = await createDatabase();
  await load(target);
  await using scene = await sceneWith(target);
  const page = async () => seen((await scene.get('/')).text);
  await expect.poll(page).toContain('1 done 2 rejected 1 dead');
  const { text } = await scene.get('/metrics');
  expect(text).toContain('tidemark_dead_letters{load="events",kind="drop"} 1');
  expect(text).toContain('tidemark_dead_letters{load="events",kind="reject"} 2');
});

test('looking writes nothing, and leaves no connection', async () => {
  await using target = await createDatabase();
  await using scene = await sceneWith(target);
  await scene.get('/loads/events');
  const left = () =>
    target.query(`select 1 from pg_stat_activity where datname = $1 and application_name = 'tidemark status'`, [
      target.name,
    ]);
  await expect.poll(left).toEqual([]);
  expect(await target.query(`select 1 from pg_namespace where nspname = 'tidemark'`)).toEqual([]);
});

test('a target that is away is told, and the page is there', async () => {
  await using scene = await createStatusScene({
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: 'postgres://someone:hushhush@127.0.0.1:1/none', key: [id], columns: { id: { type: bigint } } }]`,
  });
  const { status, text } = await scene.get('/loads/events');
  expect(status).toBe(200);
  expect(seen(text)).toContain('Cannot be shown: TARGET_UNREACHABLE');
  expect(text).not.toContain('hushhush');
});
