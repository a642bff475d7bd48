/** `/live`: a stream of server-sent events for a page that somebody looks at. Invariant: there are at most so many. */

import type { Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Board, BoardEvent } from '../daemon/board.ts';
import type { Live, Viewer } from './live.ts';
import type { Views } from './views.ts';

const VIEWERS = 60;
const OWN_MS = 2_000;
const BEAT_MS = 15_000;

export function liveRoutes(app: Hono, views: Views, live: Live, safe: (text: string) => string): void {
  let open = 0;
  app.get('/live', async (c) => {
    // Asked for its headers alone, a stream would never be read, and never end.
    if (c.req.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' });
    if (open >= VIEWERS) return c.text('503: too many look at this page\n', 503, { 'retry-after': '30' });
    const join = await joinOf(c, views, live);
    c.header('x-accel-buffering', 'no');
    open++;
    return streamSSE(c, async (stream) => {
      const { promise: over, resolve } = Promise.withResolvers<void>();
      stream.onAbort(resolve);
      const stop = () => resolve();
      views.signal.addEventListener('abort', stop, { once: true });
      if (views.signal.aborted) stop();
      const leave = join({ send: (event) => stream.writeSSE({ ...event, data: safe(event.data) }) });
      await over;
      views.signal.removeEventListener('abort', stop);
      leave();
      open--;
    });
  });
}

async function joinOf(c: Context, views: Views, live: Live): Promise<(viewer: Viewer) => () => void> {
  const { board } = views.deps;
  const [table, load] = [c.req.query('table'), c.req.query('load')];
  if (load !== undefined) return (viewer) => watch(board, (kind, name) => kind === 'load' && name === load, viewer);
  if (table !== undefined) {
    const { overview } = await views.overview();
    const line = overview.tables.find(({ folder }) => folder === table);
    return (viewer) => watch(board, (kind, name) => kind !== 'load' && name === line?.name, viewer);
  }
  const seq = Number(c.req.header('last-event-id') ?? c.req.query('seq') ?? 0);
  return (viewer) => live.join(viewer, seq);
}

/** Says that a page is to be fetched again, at most every two seconds. Returns what ends it. */
function watch(board: Board, concerns: (kind: string, name: string) => boolean, viewer: Viewer): () => void {
  // The page may have changed between its answer and this stream.
  let dirty = true;
  let busy = false;
  const send = (event: string) => {
    if (busy) return;
    busy = true;
    viewer.send({ event, data: '1' }).then(
      () => {
        busy = false;
      },
      () => {},
    );
  };
  const unsubscribe = board.subscribe((event: BoardEvent) => {
    const about = event.event === 'changed' ? event.work : event.event === 'ended' ? event.ended : null;
    if (event.event === 'away' || (about && concerns(about.kind, about.name))) dirty = true;
  });
  const timer = setInterval(() => {
    if (!dirty || busy) return;
    dirty = false;
    send('refetch');
  }, OWN_MS);
  const beat = setInterval(() => send('ping'), BEAT_MS);
  send('ping');
  return () => {
    unsubscribe();
    clearInterval(timer);
    clearInterval(beat);
  };
}
