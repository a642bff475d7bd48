import { expect, test } from 'vitest';
import { createStatusScene, type StatusScene } from '../support/status-scene.ts';

type Stream = { status: number; events: string[]; end(): Promise<void>; ended: Promise<void> };

async function listen(scene: StatusScene, query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const stop = new AbortController();
  const answer = await fetch(new URL(`/live${query}`, scene.url), { signal: stop.signal, headers });
  const events: string[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of answer.body!) {
      text += new TextDecoder().decode(chunk);
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        events.push(text.slice(0, at));
        text = text.slice(at + 2);
      }
    }
  };
  const ended = read().catch(() => {});
  return {
    status: answer.status,
    events,
    ended,
    async end() {
      stop.abort();
      await ended;
    },
  };
}

const eventually = <T>(look: () => T) => expect.poll(look);
const work = { kind: 'export', name: 'public.invoice' } as const;

test('who shows the newest is told what changes, as HTML of that line alone', async () => {
  await using scene = await createStatusScene();
  for (const name of ['public.invoice', 'public.other']) scene.board.set({ kind: 'export', name }, {});
  const seq = /data-live="\/live\?seq=(\d+)"/.exec((await scene.get('/')).text)![1];
  const stream = await listen(scene, `?seq=${seq}`);
  scene.board.set(work, { running: { since: Date.now(), rows: 1_234, bytes: 1 } });
  await eventually(() => stream.events.length).toBe(1);
  const update = JSON.parse(/^data: (.*)$/m.exec(stream.events[0])![1]);
  expect(Object.keys(update.lines)).toEqual(['n-public.invoice']);
  expect(update.lines['n-public.invoice']).toContain('exporting 1,234 rows');
  expect(stream.events[0]).toContain(`id: ${update.seq}`);
  await stream.end();
});

test('a browser that comes back says what it has seen, and gets the rest', async () => {
  await using scene = await createStatusScene();
  scene.board.set(work, {});
  const seq = /data-live="\/live\?seq=(\d+)"/.exec((await scene.get('/')).text)![1];
  scene.board.set(work, { nextAt: Date.now() + 60_000 });
  const stream = await listen(scene, '?seq=0', { 'last-event-id': seq });
  await eventually(() => stream.events.length).toBe(1);
  expect(stream.events[0]).toContain('n-public.invoice');
  await stream.end();
});

test('a table’s own page is told to look again, when it is about that table', async () => {
  await using scene = await createStatusScene();
  await scene.database.query('create table invoice (id bigint primary key)');
  await scene.exporter.run('invoice');
  const stream = await listen(scene, '?table=invoice');
  const looks = () => stream.events.filter((event) => event.includes('event: refetch')).length;
  // The page may have changed between its answer and the stream.
  await eventually(looks).toBe(1);
  scene.board.set({ kind: 'export', name: 'public.other' }, {});
  scene.board.set({ kind: 'load', name: 'public.invoice' }, {});
  scene.board.set({ ...work, kind: 'compact' }, {});
  await eventually(looks).toBe(2);
  await stream.end();
});

test('there are sixty places, and one who leaves makes room', async () => {
  await using scene = await createStatusScene();
  const streams = await Promise.all(Array.from({ length: 60 }, () => listen(scene, '?seq=1')));
  expect(streams.every(({ status }) => status === 200)).toBe(true);
  const refused = await scene.get('/live?seq=1');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30']);
  await streams.pop()!.end();
  const again = async () => {
    const stream = await listen(scene, '?seq=1');
    await stream.end();
    return stream.status;
  };
  await eventually(again).toBe(200);
  await Promise.all(streams.map((stream) => stream.end()));
});

test('who asks for the headers alone takes no place', async () => {
  await using scene = await createStatusScene();
  for (let i = 0; i < 70; i++) {
    const { status } = await fetch(new URL('/live?seq=1', scene.url), { method: 'HEAD' });
    expect(status).toBe(200);
  }
});

test('when the daemon stops the streams end, and nothing keeps it', async () => {
  const scene = await createStatusScene();
  const streams = [
    await listen(scene, '?seq=0'),
    await listen(scene, '?table=none'),
    await listen(scene, '?load=none'),
  ];
  await scene[Symbol.asyncDispose]();
  await Promise.all(streams.map(({ ended }) => ended));
  await expect(fetch(scene.url)).rejects.toThrow();
});
