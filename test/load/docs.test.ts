/** What docs/load.md tells people to type works as it stands there. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runHere } from '../support/cli.ts';
import { ROOT } from '../support/postgres-server.ts';
import { loadScene } from './support/load-scene.ts';

const blocks = async (kind: string) =>
  [
    ...(await readFile(path.join(ROOT, 'docs/load.md'), 'utf8')).matchAll(
      new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs'),
    ),
  ].map(([, text]) => text);

test('the entry, the table that --create prints, the role with its grants, the queries', async () => {
  const { cwd, database } = await loadScene();
  await database.query('drop table events');
  const [entry] = await blocks('yaml');
  const role = `loader_${database.name}`;
  const [queries, grants] = await blocks('sql');
  const loader = Object.assign(new URL(database.url), { username: role, password: 'change%20me' }).href;
  const text = entry.replaceAll(/^ {3}/gm, '').replace('s3://my-events-bucket/raw/', 'file:./drops/');
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: "${loader}" }\nlake: file:./lake\n${text}    on_conflict: update\n`,
  );
  const load = (...args: string[]) => runHere(['load', ...args], { cwd, env: { DATABASE_URL: loader } });

  const created = await load('--create');
  await database.query(created.stdout);
  await database.query(grants.replaceAll('loader', role).replaceAll('DATABASE shop', `DATABASE ${database.name}`));
  const day = new Date().toISOString().slice(0, 10);
  await mkdir(path.join(cwd, 'drops', day));
  const event = {
    event_id: '0196a1b2-0000-4000-8000-000000000001',
    user: { id: 7 },
    event_type: 'click',
    properties: { a: [1] },
  };
  await writeFile(path.join(cwd, 'drops', day, 'a.json.gz'), `${JSON.stringify(event)}\n{}\n`);
  await writeFile(path.join(cwd, 'drops', day, 'b.json.gz'), '\x1f\x8b');

  const { code, stdout } = await load();
  expect(stdout).toMatch(/^events +2 drops \(1 dead\) +1 row, /);
  expect(code).toBe(1);
  expect(await database.query('select user_id::int, amount, properties from events')).toEqual([
    { user_id: 7, amount: '0.00', properties: { a: [1] } },
  ]);
  const [, dead] = queries.split(';').map((query) => query.trim());
  expect(await database.query(dead)).toHaveLength(1);
  expect(await database.query(queries.split(';')[0])).toHaveLength(0);
  await database.query(`drop owned by ${role}; drop role ${role}`);
});

test('the transform', async () => {
  const scene = await loadScene();
  const [code] = await blocks('ts');
  await writeFile(path.join(scene.cwd, 'events.ts'), code);
  await scene.database.query(
    'drop table events; create table events (event_id text, position int, sku text, count int, source text, primary key (event_id, position))',
  );
  const text = await readFile(path.join(scene.cwd, 'tidemark.yaml'), 'utf8');
  const columns = `key: [event_id, position]
    columns:
      event_id: { type: text }
      position: { type: int }
      sku: { type: text }
      count: { type: int }
      source: { type: text }
    transform: ./events.ts
`;
  await writeFile(path.join(scene.cwd, 'tidemark.yaml'), text.slice(0, text.indexOf('key: id')) + columns);
  const items = [
    { sku: 'a', count: 2 },
    { sku: 'b', count: 1 },
  ];
  await writeFile(path.join(scene.cwd, 'drops/x.jsonl'), `${JSON.stringify({ id: 'e1', items })}\n{"id": "e2"}\n`);
  expect((await scene.loadJson()).loads[0]).toMatchObject({ rows_in: 2, rows_out: 2, rows_rejected: 1 });
  expect(await scene.database.query('select sku, source from events order by position')).toEqual([
    { sku: 'a', source: 'x.jsonl:1' },
    { sku: 'b', source: 'x.jsonl:1' },
  ]);
  expect(await scene.database.query('select reason from tidemark.load_reject')).toEqual([
    { reason: expect.stringContaining('an event without items') },
  ]);
});
