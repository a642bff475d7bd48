/** The page of a real daemon, from a row that changes in Postgres to what a browser shows. */

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { daemonScene } from '../daemon/scene.ts';
import { openBrowser, testWithChromium } from '../support/browser.ts';

const TOKEN = 'planted token, long enough';
const PASSWORD = 'planted password';
const AWS_KEY = 'planted/aws/secret';

const configuration = (type: string) => ({
  status: { listen: '127.0.0.1:0', token: TOKEN },
  schedule: { export: '@every 1s', load: '@every 1s', compact_after: { time: '0s' } },
  loads: [
    {
      load: 'events',
      from: 'file:./drops/*',
      into: 'events',
      target: `$${'{DATABASE_URL}'}`,
      key: ['id'],
      columns: { id: { type } },
    },
  ],
});

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000 });

testWithChromium('rows that change show live, buttons work, and nothing planted is said anywhere', async () => {
  await using scene = await daemonScene();
  const role = `r_${randomBytes(6).toString('hex')}`;
  await scene.db.query(`create role ${role} superuser login password '${PASSWORD}'`);
  const url = Object.assign(new URL(scene.db.url), { username: role, password: PASSWORD }).href;
  await scene.table('invoice', 5);
  await scene.db.query('create table nokey (n int)');
  await scene.db.query('create table events (id bigint primary key)');
  await mkdir(path.join(scene.cwd, 'drops'));
  await writeFile(path.join(scene.cwd, 'drops/one.jsonl'), '{"id":1}\n{"id":"<b>x</b>"}\n');
  await scene.configure(configuration('bigint'));
  const daemon = scene.start([], { DATABASE_URL: url, AWS_SECRET_ACCESS_KEY: AWS_KEY });
  const at = String((await daemon.says('status page')).url);
  await daemon.says('compacted', { table: 'public.invoice' });
  const browser = await openBrowser();
  const said: string[] = [];
  try {
    const page = await browser.newPage();
    page.on('response', async (answer) => said.push((await answer.text().catch(() => '')) + answer.url()));
    await page.goto(at);
    await page.getByLabel('Token').fill(TOKEN);
    await page.keyboard.press('Enter');
    const row = page.locator('#t-invoice');
    await eventually(() => row.locator('td[data-label="rows"]').textContent()).toBe('5');
    await eventually(() => page.locator('h1').textContent()).toBe('1 table failing');

    await scene.db.query('insert into invoice select g from generate_series(6, 12) g');
    await eventually(() => row.locator('td[data-label="rows"]').textContent()).toBe('7');
    await eventually(() => row.locator('td[data-label="staged"]').textContent()).toBe('v1');

    await page.getByRole('link', { name: 'public.invoice' }).click();
    await page.getByRole('link', { name: 'Show 20 rows' }).click();
    await eventually(() => page.locator('#sample tbody tr').count()).toBe(12);
    await page.goto(`${at}/tables/nokey`);
    await page.getByRole('button', { name: 'Retry export' }).click();
    await eventually(() => page.locator('.said-now').textContent()).toContain('Asked for');

    await page.goto(`${at}/loads/events`);
    expect(await page.locator('#rejects td.v').textContent()).toBe('{"id":"<b>x</b>"}');
    await scene.db.query('alter table events alter id type text');
    await scene.configure(configuration('text'));
    daemon.kill('SIGHUP');
    await daemon.says('configuration reloaded');
    await page.getByRole('button', { name: 'Replay rejects and dead drops' }).click();
    await eventually(() => page.locator('#rejects').textContent()).toContain('None.');
    expect(await scene.db.query('select id from events order by id')).toEqual([{ id: '1' }, { id: '<b>x</b>' }]);
  } finally {
    await browser.close();
  }
  const bearer = { authorization: `Bearer ${TOKEN}` };
  for (const name of ['/metrics', '/api/status', '/readyz', '/healthz', '/api/samples']) {
    said.push(await (await fetch(at + name, { headers: bearer })).text());
  }
  daemon.kill('SIGTERM');
  const { code, stderr, stdout } = await daemon.ended;
  expect(code).toBe(143);
  expect(said.join('\n')).toContain('tidemark_rows_total{kind="export",table="public.invoice"}');
  for (const secret of [TOKEN, PASSWORD, AWS_KEY, encodeURIComponent(PASSWORD), encodeURIComponent(TOKEN)]) {
    expect([secret, said.join('\n').includes(secret), (stderr + stdout).includes(secret)]).toEqual([
      secret,
      false,
      false,
    ]);
  }
  await scene.db.query(`reassign owned by ${role} to current_user`);
  await scene.db.query(`drop owned by ${role}`);
  await scene.db.query(`drop role ${role}`);
});
