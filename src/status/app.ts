/** The routes. Invariant: every answer passes access() and clean(). */

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { toTidemarkError } from '../model/error.ts';
import { jsonText } from '../model/json-text.ts';
import { access, isSignedIn, logIn, logOut } from './access.ts';
import { apiStatus, sampleJson } from './api-status.ts';
import { asset } from './assets.ts';
import { clean } from './clean.ts';
import type { StatusDeps } from './deps.ts';
import { securityHeaders } from './headers.ts';
import type { Html } from './html.ts';
import { Live } from './live.ts';
import { liveRoutes } from './live-routes.ts';
import { Metrics } from './metrics.ts';
import { overviewPage } from './overview-page.ts';
import { ownRoutes } from './own-routes.ts';
import { Sessions } from './session.ts';
import { Throttle } from './throttle.ts';
import { Views } from './views.ts';

const FORM_BYTES = 4_096;
const AS_JSON = { 'content-type': 'application/json; charset=utf-8' };

export function createApp(deps: StatusDeps, listen: { host: string; loopback: boolean }) {
  const { board, clock, log } = deps;
  const token = () => deps.config().status.token;
  const accessDeps = { token, sessions: new Sessions(), throttle: new Throttle(), clock, listen };
  const views = new Views(deps, () => live.changed());
  const live = new Live(board, () => views.overview(), clock);
  const metrics = new Metrics(board);
  const safe = (text: string) => clean(text, [...deps.secrets, token() ?? '']);
  const page = (c: Context, content: Html) => c.html(safe(content.text));
  const json = (value: unknown) => safe(jsonText(value));

  const app = new Hono();
  app.use(securityHeaders);
  app.use(access(accessDeps));
  app.use(bodyLimit({ maxSize: FORM_BYTES, onError: (c) => c.text('413: that is too long for a form\n', 413) }));

  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const away = [...board.away()].filter(([service]) => service === 'source' || service === 'state');
    // Answered to anybody: without the words of an error, which name hosts and users.
    const why = away.map(([service, { since, error }]) => ({
      service,
      since: new Date(since).toISOString(),
      code: error.code,
    }));
    return c.body(json({ ready: why.length === 0, away: why }), why.length === 0 ? 200 : 503, AS_JSON);
  });
  app.get('/assets/:name', (c) => asset(c, c.req.param('name')));
  app.post('/login', async (c) => {
    const form = new URLSearchParams(await c.req.text());
    return logIn(c, accessDeps, form.get('token') ?? '', form.get('next') ?? '/');
  });
  app.get('/login', (c) => c.redirect('/', 303));
  app.post('/logout', logOut);

  app.get('/', async (c) => {
    const { seq, overview } = await views.overview();
    const options = { seq, filter: c.req.query('q') ?? '', signedIn: isSignedIn(c, accessDeps), now: clock() };
    return page(c, overviewPage(overview, options));
  });
  ownRoutes(app, views, accessDeps, page);
  liveRoutes(app, views, live, safe);
  app.get('/api/samples', (c) => c.body(json({ samples: board.samples().map(sampleJson) }), 200, AS_JSON));
  app.get('/api/status', async (c) => {
    const { tables } = await views.tables();
    return c.body(json(apiStatus(tables, board, clock())), 200, AS_JSON);
  });
  app.get('/metrics', async (c) => {
    const { tables } = await views.tables();
    const deadLetters = views.loads().flatMap((load) => {
      const count = views.counts.get(load);
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
    live.close();
    views[Symbol.dispose]();
    metrics[Symbol.dispose]();
  };
  return { app, close };
}
