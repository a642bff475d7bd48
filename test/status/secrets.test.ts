import { expect, test } from 'vitest';
import { createCompactor } from '../support/compactor.ts';
import { createStatusScene, type StatusScene } from '../support/status-scene.ts';

/** Characters that HTML, JSON and URLs write in other ways. */
const SECRETS = {
  source: `src&'<pass"word>1`,
  target: 'tar/get pass&word 2',
  token: `to"ken<&>that is long`,
  aws: 'AKIA/secret+access+key/3',
};

/** As it stands, and as HTML, JSON and URLs write it; also the parts that are left when one of these misses a character. */
function forms(secret: string): string[] {
  const inHtml = (text: string) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;');
  return [secret, inHtml(secret), JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), encodeURI(secret)];
}

async function everythingIn(scene: StatusScene): Promise<string> {
  const bearer = { authorization: `Bearer ${SECRETS.token}` };
  const answers: string[] = [];
  const keep = ({ status, text, headers }: { status: number; text: string; headers: Headers }) => {
    answers.push(`${status} ${[...headers].map(String).join('\n')}\n${text}`);
  };
  const pages = ['/', '/?q=a', '/tables/invoice?sample=1', '/loads/events', '/api/status', '/api/samples', '/metrics'];
  for (const page of [...pages, '/healthz', '/readyz', '/nowhere', '/assets/live.js', '/tables/none']) {
    keep(await scene.get(page));
    keep(await scene.get(page, bearer));
    keep(await scene.get(page, { authorization: 'Bearer wrong' }));
  }
  const login = await scene.post('/login', { token: SECRETS.token });
  keep(login);
  keep(await scene.post('/login', { token: 'wrong' }));
  const cookie = login.headers.getSetCookie()[0].split(';')[0];
  for (const page of pages) keep(await scene.get(page, { cookie }));
  keep(await scene.post('/tables/invoice/export', {}, { cookie }));
  keep(await scene.post('/loads/events/replay', {}, { cookie }));
  keep(await scene.post('/logout', {}, { cookie }));
  // A browser that has seen nothing yet is sent all there is.
  const live = await fetch(new URL('/live?seq=0', scene.url), { headers: bearer });
  const reader = live.body!.getReader();
  for (let text = ''; !text.includes('event: update'); answers.push(text)) {
    text += new TextDecoder().decode((await reader.read()).value);
  }
  await reader.cancel();
  return answers.join('\n');
}

test('no answer, header, metric or line of the log holds a secret, wherever one is put', async () => {
  const secrets: string[] = [SECRETS.aws];
  await using scene = await createStatusScene({
    secrets,
    token: SECRETS.token,
    yaml: `loads: [{ load: events, from: 'file:./d/*', into: events, target: '\${TARGET}', key: [id], columns: { id: { type: text } } }]`,
    env: { TARGET: `postgres://u:${encodeURIComponent(SECRETS.target)}@127.0.0.1:1/none` },
  });
  secrets.push(SECRETS.source);
  const { board, database, exporter } = scene;
  await database.query('create table invoice (id bigint primary key, updated_at timestamptz not null default now())');
  await database.query('insert into invoice values (1)');
  await exporter.run('invoice');
  await using compactor = await createCompactor(exporter);
  await compactor.compact('invoice');
  // Nobody should: an error that holds all of them, in every place that shows one.
  const all = Object.values(SECRETS).join(' ');
  const error = { code: 'INTERNAL', message: all, hint: all };
  const trouble = { times: 1, since: 1, retryAt: 1, slow: false, error };
  for (const name of ['public.invoice', all]) board.set({ kind: 'export', name }, { trouble });
  board.set({ kind: 'load', name: 'events' }, { trouble });
  for (const service of ['source', 'state', all]) board.reach(service, { since: 1, error });
  const ended = { at: 1, run: all, outcome: 'failed', rows: 0, lateRows: 0, bytes: 0, seconds: 0 } as const;
  board.end({ kind: 'export', name: all, ...ended, error });
  await database.query(`update tidemark.source_table set failed_run = mark_run`);
  await database.query(`update tidemark.run set error = $1, failed_at = now()`, [JSON.stringify(error)]);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const said = await everythingIn(scene);
  for (const [name, secret] of Object.entries(SECRETS)) {
    for (const form of forms(secret)) {
      expect([name, said.includes(form)]).toEqual([name, false]);
      expect([name, scene.logged().includes(form)]).toEqual([name, false]);
    }
  }
  expect(said).toContain('***');
  expect(scene.logged()).toContain('asked for on the status page');
});
