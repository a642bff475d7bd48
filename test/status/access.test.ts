import http from 'node:http';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { startStatus } from '../../src/status/start-status.ts';
import { never } from '../support/state.ts';
import { createStatusScene, type StatusScene } from '../support/status-scene.ts';

const TOKEN = 'correct horse battery staple';
const PAGES = [
  '/',
  '/?q=x',
  '/tables/invoice',
  '/loads/events',
  '/live',
  '/api/status',
  '/api/samples',
  '/metrics',
  '/nowhere',
];

/** fetch() does not let anybody choose the host, nor what browsers say of a request. */
function plain(scene: StatusScene, headers: Record<string, string>, at = '/'): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get(new URL(at, scene.url), { headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      })
      .on('error', reject);
  });
}

const cookieOf = ({ headers }: { headers: Headers }) => headers.getSetCookie()[0].split(';')[0];

test('with a token nothing is shown without it, but health and the form', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  for (const page of PAGES) expect([page, (await scene.get(page)).status]).toEqual([page, 401]);
  for (const page of ['/healthz', '/readyz', '/assets/page.css']) expect((await scene.get(page)).status).toBe(200);
  expect((await scene.get('/')).text).toContain('<form method="post" action="/login">');
  expect((await scene.get('/metrics')).headers.get('www-authenticate')).toMatch(/^Bearer/);
  expect((await scene.get('/assets/../app.ts')).status).toBe(401);
});

test('programs send the token as Bearer', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  for (const page of ['/', '/api/status', '/metrics']) {
    expect((await scene.get(page, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect((await scene.get(page, { authorization: 'Bearer wrong' })).status).toBe(401);
  }
  expect((await scene.get(`/metrics?token=${encodeURIComponent(TOKEN)}`)).status).toBe(401);
});

test('the form sets a cookie that is no token, for scripts out of reach and sent by our own pages alone', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  const answer = await scene.post('/login', { token: TOKEN, next: '/tables/invoice' });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/tables/invoice']);
  const [set] = answer.headers.getSetCookie();
  expect(set).toMatch(/^tidemark_\d+=\S+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(decodeURIComponent(set)).not.toContain(TOKEN);
  const cookie = cookieOf(answer);
  expect((await scene.get('/', { cookie })).text).toContain('Sign out');
  expect((await scene.get('/', { cookie: `${cookie.slice(0, -1)}x` })).status).toBe(401);
  const out = await scene.post('/logout', {}, { cookie });
  expect(out.headers.getSetCookie()[0]).toMatch(/=; Max-Age=0/);
});

test('behind TLS the cookie is for TLS alone', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  const answer = await scene.post('/login', { token: TOKEN }, { 'x-forwarded-proto': 'https' });
  expect(answer.headers.getSetCookie()[0]).toContain('; Secure');
});

test('a wrong token is refused, and after five of them there is a wait, also for the right one', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  for (let guess = 0; guess < 5; guess++) {
    const answer = await scene.post('/login', { token: `guess ${guess}` });
    expect(answer.status).toBe(401);
    expect(answer.text).toContain('That is not the token.');
  }
  const answer = await scene.post('/login', { token: TOKEN });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1']);
  expect((await scene.get('/metrics', { authorization: `Bearer ${TOKEN}` })).status).toBe(429);
});

test.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', ''])(
  'after the form nobody is led to %s',
  async (next) => {
    await using scene = await createStatusScene({ token: TOKEN });
    expect((await scene.post('/login', { token: TOKEN, next })).headers.get('location')).toBe('/');
  },
);

test('a form of another site is refused, whatever cookie comes with it', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  const cookie = cookieOf(await scene.post('/login', { token: TOKEN }));
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: scene.url, 'sec-fetch-site': 'cross-site' },
  ]) {
    expect((await scene.post('/logout', {}, { cookie, ...headers } as Record<string, string>)).status).toBe(403);
    expect((await scene.post('/login', { token: TOKEN }, headers as Record<string, string>)).status).toBe(403);
  }
});

test('other pages may lead here, and may not have anything read by a picture or a script', async () => {
  await using scene = await createStatusScene();
  const from = (mode: string) => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode });
  expect(await plain(scene, from('navigate'))).toBe(200);
  expect(await plain(scene, from('no-cors'))).toBe(403);
});

test('on loopback a request by a name of somebody else is refused', async () => {
  await using scene = await createStatusScene();
  const { port } = new URL(scene.url);
  expect(await plain(scene, { host: `127.0.0.1:${port}` })).toBe(200);
  expect(await plain(scene, { host: `localhost:${port}` })).toBe(200);
  for (const host of [`evil.example:${port}`, 'localhost.evil.example']) {
    expect(await plain(scene, { host })).toBe(421);
    expect(await plain(scene, { host }, '/healthz')).toBe(421);
  }
});

test('for all machines it listens only with a token', async () => {
  await using scene = await createStatusScene({ listen: '0.0.0.0:0', token: TOKEN });
  const { port } = new URL(scene.url);
  const at = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(at.status).toBe(200);
  for (const listen of ['0.0.0.0:0', ':0', '[::]:0', '10.0.0.1:0', 'some.name:0']) {
    const config = parseConfig(`source: { url: 'postgres://x@y/z' }\nlake: file:./l\nstatus: { listen: '${listen}' }`, {
      file: '/x/tidemark.yaml',
      shown: 'x',
      env: {},
    });
    await expect(startStatus({ ...scene.deps, config: () => config }, never)).rejects.toMatchObject({
      code: 'STATUS_TOKEN',
    });
  }
});

test('a token that a reload takes away closes the page, and one that it changes signs out', async () => {
  await using scene = await createStatusScene({ listen: '0.0.0.0:0', token: TOKEN });
  const at = (path: string, headers = {}) =>
    fetch(`http://127.0.0.1:${new URL(scene.url).port}${path}`, { headers }).then(({ status }) => status);
  const bearer = { authorization: `Bearer ${TOKEN}` };
  expect(await at('/', bearer)).toBe(200);
  scene.config.status.token = 'another one, just as long';
  expect(await at('/', bearer)).toBe(401);
  scene.config.status.token = null;
  expect(await at('/', bearer)).toBe(403);
  expect(await at('/healthz')).toBe(200);
});

test('a port that is taken is an error with a hint', async () => {
  await using scene = await createStatusScene();
  scene.config.status.port = Number(new URL(scene.url).port);
  await expect(startStatus(scene.deps, never)).rejects.toMatchObject({
    code: 'STATUS_LISTEN',
    message: expect.stringContaining('another process has that port'),
  });
});

test('every answer tells browsers to run and show nothing but what is ours', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  const bearer = { authorization: `Bearer ${TOKEN}` };
  for (const page of [...PAGES.filter((each) => each !== '/live'), '/healthz', '/assets/live.js']) {
    const { headers } = await scene.get(page, bearer);
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe(page.startsWith('/assets/') ? 'no-cache' : 'no-store');
  }
});

test('no page has a script or a style of its own', async () => {
  await using scene = await createStatusScene();
  const { text } = await scene.get('/');
  expect(text).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?! src=)/);
});

test('the page’s own files are asked for again, and sent once', async () => {
  await using scene = await createStatusScene();
  for (const name of [
    'page.css',
    'live.js',
    'charts.js',
    'login.js',
    'icon.svg',
    'uPlot.min.css',
    'uPlot.iife.min.js',
  ]) {
    const { status, headers } = await scene.get(`/assets/${name}`);
    expect([name, status]).toEqual([name, 200]);
    const again = await scene.get(`/assets/${name}`, { 'if-none-match': headers.get('etag')! });
    expect([again.status, again.text]).toEqual([304, '']);
  }
  for (const name of ['app.ts', 'package.json', '..%2fapp.ts', 'constructor', '__proto__']) {
    expect((await scene.get(`/assets/${name}`)).status).toBe(404);
  }
});

test('a form that is too long is not read', async () => {
  await using scene = await createStatusScene({ token: TOKEN });
  expect((await scene.post('/login', { token: 'x'.repeat(10_000) })).status).toBe(413);
});

test('a port that is none is refused before anything else', () => {
  const text = "source: { url: 'postgres://x@y/z' }\nlake: file:./l\nstatus: { listen: '127.0.0.1:70000' }";
  expect(() => parseConfig(text, { file: '/x/t.yaml', shown: 't.yaml', env: {} })).toThrow(/3:.*port beyond 65535/);
});
