/** The routes. Invariant: every answer passes access() and clean(). */

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE } from 'hono/streaming';
import { jsonText } from '../cli/output.ts';
import type { LoadSettings } from '../load/settings.ts';
import { toTidemarkError } from '../model/error.ts';
import { access, isSignedIn, logIn, logOut } from './access.ts';
import { apiStatus, sampleJson } from './api-status.ts';
import { asset } from './assets.ts';
import { clean } from './clean.ts';
import type { StatusDeps } from './deps.ts';
import { securityHeaders } from './headers.ts';
import type { Html } from './html.ts';
import { KnownTables } from './known-tables.ts';
import { LedgerCounts } from './ledger-look.ts';
import { Live, look, type Numbered } from './live.ts';
import { Metrics } from './metrics.ts';
import { overviewOf } from './overview.ts';
import { overviewPage } from './overview-page.ts';
import { Sessions } from './session.ts';
import { Throttle } from './throttle.ts';

const VIEWERS = 50;
const FORM_BYTES = 4_096;

export function createApp(deps: StatusDeps, listen: { host: string; loopback: boolean }) {
  const { board, clock, log } = deps;
  const token = () => deps.config().status.token;
  const accessDeps = { token, sessions: new Sessions(), throttle: new Throttle(), clock, listen };
  const closing = new AbortController();
  const known = new KnownTables(deps.state, clock);
  const metrics = new Metrics(board);
  const counts = new LedgerCounts(deps.env, () => live.changed(), closing.signal);
  const unsubscribe = board.subscribe((event) => {
    if (event.event === 'ended' && event.ended.kind === 'load') counts.ended(event.ended.name);
  });
  const loads = (): LoadSettings[] => deps.config().loads;
  const safe = (text: string) => clean(text, [...deps.secrets, token() ?? '']);

  let numbered: (Numbered & { look: string }) | null = null;
  const overview = async (): Promise<Numbered> => {
    const { tables } = await known.get();
    const next = overviewOf({
      startedAt: board.startedAt,
      tables,
      works: board.works(),
      away: board.away(),
      ended: board.ended(),
      loads: loads().map((load) => ({ name: load.name, counts: counts.get(load) })),
      now: clock(),
    });
    const looks = look(next);
    if (numbered?.look !== looks) numbered = { seq: (numbered?.seq ?? 0) + 1, overview: next, look: looks };
    return numbered;
  };
  const live = new Live(board, overview, clock, VIEWERS);

  const app = new Hono();
  app.use(securityHeaders);
  app.use(access(accessDeps));
  app.use(bodyLimit({ maxSize: FORM_BYTES }));
  const page = (c: Context, content: Html) => c.html(safe(content.text));
  const json = (value: unknown) => safe(jsonText(value));
  const asJson = { 'content-type': 'application/json; charset=utf-8' };

  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const away = [...board.away()].filter(([service]) => service === 'source' || service === 'state');
    const why = away.map(([service, { since, error }]) => ({
      service,
      since: new Date(since).toISOString(),
      code: error.code,
    }));
    return c.body(json({ ready: why.length === 0, away: why }), why.length === 0 ? 200 : 503, asJson);
  });
  app.get('/assets/:name', (c) => asset(c, c.req.param('name')));
  app.post('/login', async (c) => {
    const form = new URLSearchParams(await c.req.text());
    return logIn(c, accessDeps, form.get('token') ?? '', form.get('next') ?? '/');
  });
  app.get('/login', (c) => c.redirect('/', 303));
  app.post('/logout', logOut);

  app.get('/', async (c) => {
    const { seq, overview: now } = await overview();
    const options = { seq, filter: c.req.query('q') ?? '', signedIn: isSignedIn(c, accessDeps), now: clock() };
    return page(c, overviewPage(now, options));
  });
  app.get('/live', (c) => {
    if (live.full) return c.text('503: too many look at this page\n', 503, { 'retry-after': '30' });
    const seq = Number(c.req.header('last-event-id') ?? c.req.query('seq') ?? 0);
    c.header('x-accel-buffering', 'no');
    return streamSSE(c, async (stream) => {
      const { promise: over, resolve } = Promise.withResolvers<void>();
      stream.onAbort(resolve);
      closing.signal.addEventListener('abort', () => resolve(), { once: true });
      const leave = live.join({ send: (event) => stream.writeSSE({ ...event, data: safe(event.data) }) }, seq);
      await over;
      leave();
    });
  });
  app.get('/api/samples', (c) => c.body(json({ samples: board.samples().map(sampleJson) }), 200, asJson));
  app.get('/api/status', async (c) => {
    const { tables } = await known.get();
    return c.body(json(apiStatus(tables, board, clock())), 200, asJson);
  });
  app.get('/metrics', async (c) => {
    const { tables } = await known.get();
    const deadLetters = loads().flatMap((load) => {
      const count = counts.get(load);
      return count === null ? [] : [[load.name, { drops: count.dead, rejects: count.rejects }] as const];
    });
    const text = await metrics.text({
      tables,
      now: clock(),
      sourceConnections: deps.sourceConnections(),
      oldestForeignSeconds: deps.oldestForeign?.() ?? null,
      spoolBytes: (await deps.spoolBytes?.()) ?? null,
      deadLetters: new Map(deadLetters),
    });
    return c.body(safe(text), 200, { 'content-type': metrics.registry.contentType });
  });

  app.notFound((c) => c.text('404: there is no such page\n', 404));
  app.onError((error, c) => {
    const known = toTidemarkError(error);
    log.warn({ err: known, path: c.req.path }, 'the status page could not answer');
    return c.text(safe(`500: ${known.code}: ${known.message}\n`), 500);
  });

  const close = () => {
    closing.abort();
    live.close();
    unsubscribe();
    metrics[Symbol.dispose]();
  };
  return { app, close };
}
