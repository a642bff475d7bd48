import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, expect } from 'vitest';
import type { Work } from '../../src/daemon/board.ts';
import { openBrowser, testWithChromium } from '../support/browser.ts';
import { createCompactor } from '../support/compactor.ts';
import { createDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';
import { createStatusScene, type StatusScene, shownError } from '../support/status-scene.ts';

const TOKEN = 'correct horse battery staple';
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

let browser: Promise<Browser> | undefined;
afterAll(async () => (await browser)?.close());

type Opened = AsyncDisposable & { page: Page; problems: string[] };

/** A page, and whatever it complained about: scripts that failed, and what the Content-Security-Policy refused. */
async function open(scene: StatusScene, at = '/', options: BrowserContextOptions = {}): Promise<Opened> {
  browser ??= openBrowser();
  const context = await (await browser).newContext({ viewport: DESK, ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (said) => {
    if (said.type() === 'error' && !said.text().includes('401')) problems.push(said.text());
  });
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(new URL(at, scene.url).href);
  return { page, problems, [Symbol.asyncDispose]: () => context.close() };
}

const invoice: Work = { kind: 'export', name: 'public.invoice' };

const ROWS = { invoice: 1_840, customer: 312, audit_log: 12_077 };
const MORE = {
  account: 87,
  delivery: 940,
  invoice_line: 22_810,
  payment: 1_702,
  price: 64,
  product: 410,
  stock: 5_120,
  supplier: 23,
};

async function withTables(scene: StatusScene, note = 'a note', tables: Record<string, number> = ROWS): Promise<void> {
  const { database, exporter, board } = scene;
  for (const [i, [name, rows]] of Object.entries(tables).entries()) {
    await database.query(
      `create table ${name} (id bigint primary key, note text, updated_at timestamptz default now())`,
    );
    await database.query(`insert into ${name} select g, $1 from generate_series(1, ${rows}) g`, [note]);
    await exporter.run(name);
    board.set({ kind: 'export', name: `public.${name}` }, { nextAt: Date.now() + 20_000 + 1_000 * i });
    board.set({ kind: 'compact', name: `public.${name}` }, { nextAt: Date.now() + 300_000 });
  }
}

function withHistory({ board }: StatusScene): void {
  const now = Date.now();
  for (let minute = 1440; minute > 0; minute--) {
    const busy = 1 + Math.sin(minute / 230);
    const slow = minute > 300 && minute < 330 ? (330 - minute) * 6 : 0;
    const lag = 9 + 4 * Math.sin(minute / 50) + slow;
    board.sample({
      at: now - minute * 60_000,
      maxLagSeconds: lag,
      medianLagSeconds: 5,
      rows: Math.round(900 * busy),
      bytes: 1,
    });
  }
  const kinds = ['export', 'export', 'compact'] as const;
  for (let i = 12; i > 0; i--) {
    const name = `public.${['invoice', 'customer', 'audit_log'][i % 3]}`;
    const counts = { rows: 37 * i, lateRows: i % 2, bytes: 9_000 * i, seconds: 0.07 * i };
    board.end({
      kind: kinds[i % 2],
      name,
      at: now - i * 19_000,
      run: String(60 - i),
      outcome: 'done',
      ...counts,
      error: null,
    });
  }
}

const failing = () => ({
  times: 4,
  since: Date.now() - 720_000,
  retryAt: Date.now() + 45_000,
  slow: false,
  error: {
    code: 'VALUE_UNFIT',
    message: 'NaN of column total has no place in decimal(18,4) (table public.invoice, key 1207)',
    hint: "say what becomes of it: columns: { total: { on_unfit: 'null' } }",
  },
});

/** On a machine that does much else too. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000 });

const line = (page: Page, name: string) =>
  page.locator('tbody', { has: page.getByRole('link', { name, exact: true }) });

/** docs/img/status-page.png, when pictures are to be made anew: a shop of some tables, one of which fails. */
async function pictureOfShop(): Promise<void> {
  await using target = await createDatabase();
  await using scene = await createStatusScene({
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: '${target.url}', key: [id], columns: { id: { type: text } } }]`,
  });
  await withTables(scene, 'a note', { ...ROWS, ...MORE });
  withHistory(scene);
  await using compactor = await createCompactor(scene.exporter);
  for (const name of Object.keys({ ...ROWS, ...MORE })) await compactor.compact(name);
  scene.board.set(invoice, { trouble: failing() });
  scene.board.set(
    { kind: 'compact', name: 'public.stock' },
    { running: { since: Date.now() - 3_000, rows: 0, bytes: 0 } },
  );
  scene.board.set({ kind: 'load', name: 'events' }, { nextAt: Date.now() + 32_000 });
  await using opened = await open(scene);
  await picture(opened.page, 'status-page');
}

if (process.env.DOCS_IMAGES) testWithChromium('a picture of the page for the docs', pictureOfShop);

/** docs/img/<name>.png, when they are to be made anew: DOCS_IMAGES=1. */
async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.DOCS_IMAGES) return;
  await page.waitForTimeout(1_500);
  await mkdir(path.join(ROOT, 'docs/img'), { recursive: true });
  await page.screenshot({ path: path.join(ROOT, `docs/img/${name}.png`) });
}

testWithChromium(
  'the page is live: rows that change, a run that begins, a table that fails and is mended',
  async () => {
    await using scene = await createStatusScene();
    await withTables(scene);
    withHistory(scene);
    await using opened = await open(scene);
    const { page, problems } = opened;
    await eventually(() => page.locator('#live').textContent()).toBe('live');
    expect(await page.locator('h1').textContent()).toBe('All well');

    await scene.database.query('insert into invoice select g from generate_series(5001, 5042) g');
    await scene.exporter.run('invoice');
    scene.board.set(invoice, { running: { since: Date.now(), rows: 42, bytes: 1_000 } });
    const row = line(page, 'public.invoice');
    await eventually(() => row.textContent()).toContain('exporting 42 rows');
    await eventually(() => row.locator('td').nth(2).textContent()).toBe('42');

    scene.board.set(invoice, { running: null, trouble: failing() });
    await eventually(() => page.locator('h1').textContent()).toBe('1 table failing');
    expect(await page.title()).toBe('1 table failing · tidemark');
    expect(await page.locator('table.lines tbody').first().textContent()).toContain('VALUE_UNFIT');

    scene.board.set(invoice, { trouble: null });
    await eventually(() => page.locator('h1').textContent()).toBe('All well');
    expect(await page.locator('table.lines tbody').first().textContent()).toContain('public.audit_log');
    expect(problems).toEqual([]);
  },
);

testWithChromium('times age by themselves', async () => {
  await using scene = await createStatusScene();
  await withTables(scene);
  await using opened = await open(scene);
  const lag = line(opened.page, 'public.customer').locator('td.lag');
  const before = Number.parseInt((await lag.textContent())!, 10);
  await eventually(async () => Number.parseInt((await lag.textContent())!, 10)).toBeGreaterThan(before);
});

testWithChromium('the charts show the day, and take new points', async () => {
  await using scene = await createStatusScene();
  withHistory(scene);
  await using opened = await open(scene);
  const { page, problems } = opened;
  await eventually(() => page.locator('#charts canvas').count()).toBe(2);
  const label = () => page.locator('#chart-rows').getAttribute('aria-label');
  expect(await label()).toContain('at most 1.8K');
  scene.board.sample({ at: Date.now(), maxLagSeconds: 3, medianLagSeconds: 2, rows: 5_000, bytes: 1 });
  await eventually(label).toContain('at most 5K');
  expect(problems).toEqual([]);
});

testWithChromium('the filter leaves the lines that match, also as others change', async () => {
  await using scene = await createStatusScene();
  await withTables(scene);
  await using opened = await open(scene);
  const { page } = opened;
  const shown = () => page.locator('table.lines tbody:visible .name').allTextContents();
  await page.getByLabel('Filter tables').fill('customer');
  expect(await shown()).toEqual(['public.customer']);
  scene.board.set(invoice, { trouble: failing() });
  await eventually(() => page.locator('h1').textContent()).toBe('1 table failing');
  expect(await shown()).toEqual(['public.customer']);
  await page.getByLabel('Filter tables').fill('failing');
  expect(await shown()).toEqual(['public.invoice']);
  await page.getByLabel('Filter tables').fill('nothing like it');
  expect(await page.locator('#no-tables').textContent()).toBe('No table is called so.');
});

testWithChromium('the token: a form, a wrong one, the right one, a button, and out again', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  await withTables(scene);
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  await using opened = await open(scene, '/tables/invoice');
  const { page, problems } = opened;
  expect(await page.content()).not.toContain('public.invoice');
  await page.getByLabel('Token').fill('not it');
  await page.keyboard.press('Enter');
  await eventually(() => page.getByRole('alert').textContent()).toBe('That is not the token.');
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await eventually(() => page.locator('h1').textContent()).toBe('public.invoice');
  expect(page.url()).toBe(`${scene.url}/tables/invoice`);
  expect(await page.evaluate('document.cookie')).toBe('');

  scene.board.set(invoice, { trouble: failing() });
  await eventually(() => page.locator('h1').textContent()).toBe('public.invoice failing');
  await picture(page, 'status-table');
  await page.getByRole('button', { name: 'Retry export' }).click();
  await eventually(() => page.getByRole('status').allTextContents()).toContainEqual(
    expect.stringMatching(/^Asked for/),
  );
  expect(scene.asked).toEqual([{ ...invoice, replay: false }]);
  expect(page.url()).toBe(`${scene.url}/tables/invoice`);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  expect(problems).toEqual([]);
});

testWithChromium('a link on another site finds who is signed in, and nobody else', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  await withTables(scene);
  // Another site, for a browser: localhost, and not 127.0.0.1.
  const elsewhere = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end(`<a href="${scene.url}/tables/invoice">look</a>`);
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, 'localhost', resolve));
  const { port } = elsewhere.address() as AddressInfo;
  try {
    await using opened = await open(scene);
    const { page } = opened;
    const follow = async () => {
      await page.goto(`http://localhost:${port}/`);
      await page.getByRole('link', { name: 'look' }).click();
      await page.waitForURL(`${scene.url}/tables/invoice`);
    };
    await follow();
    await page.waitForTimeout(500);
    expect(await page.getByLabel('Token').isVisible()).toBe(true);
    await page.getByLabel('Token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await eventually(() => page.locator('h1').textContent()).toBe('public.invoice');
    await follow();
    await eventually(() => page.locator('h1').textContent()).toBe('public.invoice');
  } finally {
    elsewhere.close();
  }
});

testWithChromium('a load that is replayed', async () => {
  await using scene = await createStatusScene({
    token: TOKEN,
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: 'postgres://x@127.0.0.1:1/x', key: [id], columns: { id: { type: text } } }]`,
  });
  await using opened = await open(scene, '/loads/events');
  await opened.page.getByLabel('Token').fill(TOKEN);
  await opened.page.keyboard.press('Enter');
  await opened.page.getByRole('button', { name: 'Replay rejects and dead drops' }).click();
  await eventually(() => scene.asked).toEqual([{ kind: 'load', name: 'events', replay: true }]);
});

testWithChromium('on a phone nothing is wider than the screen, and everything is there', async () => {
  await using scene = await createStatusScene({
    yaml: `loads: [{ load: events, from: 'file:./a/very/long/path/of/drops/that/goes/on/and/on/{yyyy}-{mm}-{dd}/*.json.gz', into: events, target: 'postgres://x@127.0.0.1:1/x', key: [id], columns: { id: { type: text } } }]`,
  });
  await withTables(scene, 'a long note '.repeat(40));
  withHistory(scene);
  await using compactor = await createCompactor(scene.exporter);
  for (const name of ['invoice', 'customer', 'audit_log']) await compactor.compact(name);
  scene.board.set(invoice, { trouble: failing() });
  scene.board.set({ kind: 'export', name: `public.${'a_very_long_name_'.repeat(6)}` }, { trouble: failing() });
  scene.board.reach('lake', { since: Date.now(), error: shownError('x'.repeat(300)) });
  for (const at of ['/', '/tables/invoice?sample=1', '/loads/events']) {
    await using opened = await open(scene, at, { viewport: PHONE, colorScheme: 'dark', isMobile: true });
    const { page, problems } = opened;
    await page.waitForLoadState('networkidle').catch(() => {});
    const [wide, screen] = await page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]');
    expect([at, wide]).toEqual([at, screen]);
    expect(screen).toBe(PHONE.width);
    expect(problems).toEqual([]);
  }
  scene.board.forget({ kind: 'export', name: `public.${'a_very_long_name_'.repeat(6)}` });
  scene.board.reach('lake', null);
  await using opened = await open(scene, '/', { viewport: PHONE, colorScheme: 'dark', deviceScaleFactor: 1 });
  const row = line(opened.page, 'public.customer');
  for (const value of ['last run', 'rows', 'late', 'watermark', 'staged', 'next']) {
    expect(await row.locator(`td[data-label="${value}"]`).isVisible()).toBe(true);
  }
  await picture(opened.page, 'status-phone');
});

testWithChromium('a long name among the runs is cut, and makes nothing wider', async () => {
  await using scene = await createStatusScene();
  const name = `public.${'a_very_long_name_'.repeat(6)}`;
  const counts = { rows: 1, lateRows: 0, bytes: 1, seconds: 1, error: null };
  scene.board.end({ kind: 'export', name, at: Date.now(), run: '1', outcome: 'done', ...counts });
  for (const viewport of [DESK, PHONE]) {
    await using opened = await open(scene, '/', { viewport });
    expect(await opened.page.locator('#run-lines .name').textContent()).toBe(name);
    expect(await opened.page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
  }
});

testWithChromium('light and dark: what is written can be read', async () => {
  await using scene = await createStatusScene();
  await withTables(scene);
  scene.board.set(invoice, { trouble: failing() });
  scene.board.set({ kind: 'export', name: 'public.customer' }, { running: { since: Date.now(), rows: 1, bytes: 1 } });
  const papers = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const at of ['/', '/tables/invoice']) {
      await using opened = await open(scene, at, { colorScheme, reducedMotion: 'reduce' });
      const { worst, paper } = await opened.page.evaluate<{ worst: { ratio: number; text: string }; paper: string }>(
        CONTRAST,
      );
      papers.add(paper);
      // WCAG AA for text.
      expect([colorScheme, at, worst]).toEqual([
        colorScheme,
        at,
        { ...worst, ratio: expect.closeTo(Math.max(worst.ratio, 4.5), 5) },
      ]);
    }
  }
  expect(papers.size).toBe(2);
});

/** The least contrast of any text with what is behind it, by WCAG's formula. */
const CONTRAST = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [r, g, b] = rgba(color).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (rgba(color)[3] === 255) return color;
    }
    return 'white';
  };
  let worst = { ratio: 99, text: '' };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === '' || !element.checkVisibility() || element.closest(':disabled')) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: texts.currentNode.data.trim() };
  }
  return { worst, paper: getComputedStyle(document.documentElement).backgroundColor };
})()`;

testWithChromium('values from tables and errors do nothing but stand there', async () => {
  const evil = `<img src=x onerror="alert('oh')"><script>alert('no')</script>`;
  await using scene = await createStatusScene();
  await withTables(scene, evil);
  await using compactor = await createCompactor(scene.exporter);
  await compactor.compact('invoice');
  await using first = await open(scene);
  await eventually(() => first.page.locator('#live').textContent()).toBe('live');
  // By the live way, which writes HTML into the page.
  scene.board.set(invoice, { trouble: { ...failing(), error: { code: 'INTERNAL', message: evil, hint: evil } } });
  await eventually(() => first.page.locator('.trouble .hint').textContent()).toBe(evil);
  await using second = await open(scene, '/tables/invoice?sample=1');
  expect(await second.page.locator('#sample td.v').nth(1).textContent()).toBe(evil);
  await second.page.waitForTimeout(300);
  for (const { page, problems } of [first, second]) {
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(problems).toEqual([]);
  }
});

testWithChromium('without JavaScript the tables are there', async () => {
  await using scene = await createStatusScene();
  await withTables(scene);
  await using opened = await open(scene, '/', { javaScriptEnabled: false });
  const { page } = opened;
  expect(await page.locator('table.lines tbody .name').allTextContents()).toEqual([
    'public.audit_log',
    'public.customer',
    'public.invoice',
  ]);
  await page.getByLabel('Filter tables').fill('invoice');
  await page.keyboard.press('Enter');
  await eventually(() => page.locator('table.lines tbody .name').allTextContents()).toEqual(['public.invoice']);
  await page.getByRole('link', { name: 'public.invoice' }).click();
  await eventually(() => page.locator('h1').textContent()).toBe('public.invoice');
});

testWithChromium('a page whose daemon is gone says since when it is not live', async () => {
  const scene = await createStatusScene();
  await using opened = await open(scene);
  const said = () => opened.page.locator('#live').textContent();
  await eventually(said).toBe('live');
  await scene[Symbol.asyncDispose]();
  await eventually(said).toMatch(/^not live since \d\d:\d\d:\d\d UTC$/);
});

testWithChromium('a page that is signed out meanwhile says so, and is live again once somebody signs in', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  await using opened = await open(scene);
  const { page } = opened;
  const signIn = async (on: Page) => {
    await on.getByLabel('Token').fill(TOKEN);
    await on.keyboard.press('Enter');
  };
  const said = () => page.locator('#live').textContent();
  await page.clock.install();
  await signIn(page);
  await eventually(said).toBe('live');
  await page.context().clearCookies();
  // Nothing was heard for a minute: the connection may be dead, so it asks anew.
  await page.clock.fastForward(60_000);
  await eventually(said).toMatch(/^not live since .* UTC: sign in again$/);

  const other = await page.context().newPage();
  await other.goto(scene.url);
  await signIn(other);
  await eventually(() => other.locator('#live').textContent()).toBe('live');
  await other.close();
  await page.bringToFront();
  await page.clock.fastForward(60_000);
  await eventually(said).toBe('live');
});

testWithChromium('a page that nobody saw for a while has the points of that time in its charts', async () => {
  await using scene = await createStatusScene();
  withHistory(scene);
  await using opened = await open(scene);
  const { page } = opened;
  await eventually(() => page.locator('#live').textContent()).toBe('live');
  const hide = (hidden: boolean) =>
    page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
  await hide(true);
  scene.board.sample({ at: Date.now(), maxLagSeconds: 90_000, medianLagSeconds: 1, rows: 1, bytes: 1 });
  await hide(false);
  await eventually(() => page.locator('#chart-lag').getAttribute('aria-label')).toContain('at most 25 h');
});
