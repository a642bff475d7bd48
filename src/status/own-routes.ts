/** The pages of one table and of one load, and what can be asked for there. Invariant: what is asked for goes to the board, and nowhere else. */

import type { Context, Hono } from 'hono';
import type { Work, WorkKind } from '../daemon/board.ts';
import { toTidemarkError } from '../model/error.ts';
import { type AccessDeps, isSignedIn, mayAsk } from './access.ts';
import { isAsked } from './actions.ts';
import type { Html } from './html.ts';
import { readLedger } from './ledger-look.ts';
import { loadPage } from './load-page.ts';
import { type Part, tableDetails } from './table-details.ts';
import { tablePage } from './table-page.ts';
import type { Views } from './views.ts';

const ENDED = 30;

export function ownRoutes(
  app: Hono,
  views: Views,
  access: AccessDeps,
  page: (c: Context, content: Html) => Response,
): void {
  const { board, log, clock, state, lake, env } = views.deps;
  const seen = (c: Context) => {
    const asked = c.req.query('asked');
    return {
      doing: { allowed: mayAsk(access), asked: isAsked(asked) ? asked : null },
      signedIn: isSignedIn(c, access),
      now: clock(),
    };
  };
  const missing = (c: Context, what: string) => c.text(`404: there is no such ${what}\n`, 404);
  const ask = (c: Context, work: Work, replay: boolean, path: string) => {
    const asked = board.ask(work, { replay });
    log.info({ kind: work.kind, name: work.name, ...(replay && { replay }), asked }, 'asked for on the status page');
    return c.redirect(`${path}?asked=${asked}`, 303);
  };

  const findTable = async (folder: string) => {
    const [{ overview }, { tables }] = [await views.overview(), await views.tables()];
    const line = overview.tables.find((each) => each.folder === folder);
    const status = tables?.find((each) => each.folder === folder);
    if (line && status) return { line, status };
    return tables === null ? 'unknown' : 'missing';
  };
  const noTable = (c: Context, why: 'unknown' | 'missing') =>
    why === 'missing' ? missing(c, 'table') : c.text('503: the state store has not answered yet\n', 503);
  app.get('/tables/:folder', async (c) => {
    const found = await findTable(c.req.param('folder'));
    if (typeof found === 'string') return noTable(c, found);
    const { line, status } = found;
    const version = status.staged?.version ?? null;
    const wanted = c.req.query('sample') !== undefined && version !== null;
    const [details, sample] = await Promise.all([
      tableDetails({ state, lake }, status.folder, version !== null, views.signal),
      wanted ? part(views.samples.get(status.folder, version, views.signal)) : null,
    ]);
    const ended = board
      .ended()
      .filter(({ kind, name }) => kind !== 'load' && name === line.name)
      .slice(0, ENDED);
    return page(c, tablePage({ line, status, details, ended, sample, ...seen(c) }));
  });
  app.post('/tables/:folder/:kind{export|compact|reconcile}', async (c) => {
    const found = await findTable(c.req.param('folder'));
    if (typeof found === 'string') return noTable(c, found);
    const kind = c.req.param('kind') as WorkKind;
    return ask(c, { kind, name: found.line.name }, false, `/tables/${found.status.folder}`);
  });

  const findLoad = (name: string) => views.loads().find((load) => load.name === name);
  app.get('/loads/:name', async (c) => {
    const load = findLoad(c.req.param('name'));
    const { overview } = await views.overview();
    const line = overview.loads.find(({ name }) => name === load?.name);
    if (!load || !line) return missing(c, 'load');
    const ledger = await part(readLedger(load, env, views.signal));
    return page(c, loadPage({ line, load, ledger, ...seen(c) }));
  });
  app.post('/loads/:name/:what{load|replay}', (c) => {
    const load = findLoad(c.req.param('name'));
    if (!load) return missing(c, 'load');
    const path = `/loads/${encodeURIComponent(load.name)}`;
    return ask(c, { kind: 'load', name: load.name }, c.req.param('what') === 'replay', path);
  });
}

async function part<T>(promise: Promise<T>): Promise<Part<T>> {
  return promise.then(
    (value) => ({ value }),
    (error) => ({ error: toTidemarkError(error) }),
  );
}
