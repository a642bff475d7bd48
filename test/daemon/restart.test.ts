/** What a daemon that starts finds due: what was missed, once; what was done is not done again. */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { daemonScene, type Running } from './scene.ts';

const settled = async (daemon: Running) => {
  await daemon.says('tables found');
  // Whatever is due begins within a moment.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  daemon.kill('SIGTERM');
  await daemon.ended;
};

test('exports, compactions, loads and vacuums once a day', async () => {
  await using scene = await daemonScene();
  const { db, cwd } = scene;
  await scene.table('invoice');
  await db.query('create table events (id int primary key)');
  await mkdir(path.join(cwd, 'drops'));
  const drop = (name: string, id: number) => writeFile(path.join(cwd, 'drops', name), `{"id":${id}}\n`);
  await drop('1.json', 1);
  const daily = '@every 24h';
  const target = db.url;
  const columns = { id: { type: 'int' } };
  await scene.configure({
    tables: [{ table: 'invoice' }],
    loads: [{ load: 'events', from: 'file:./drops/*.json', into: 'events', target, key: ['id'], columns }],
    schedule: { export: daily, compact: daily, compact_after: {}, load: daily, vacuum: daily },
  });

  const first = scene.start();
  await first.says('exported', { table: 'public.invoice' });
  await first.says('loaded', { load: 'events' });
  await settled(first);

  // It was done today. The compaction's time has not come, and nothing of the export was compacted yet: that is due once.
  await db.query(`insert into invoice values (10, 'new', now())`);
  await drop('2.json', 2);
  const second = scene.start();
  await second.says('compacted', { table: 'public.invoice', inserted: 3 });
  await settled(second);
  expect([second.said('exported'), second.said('loaded'), second.said('vacuumed')]).toEqual([[], [], []]);

  // While no daemon ran a day went by.
  await db.query(`update tidemark.source_table set last_checked_at = now() - interval '25 hours'`);
  const then = `to_char((now() - interval '25 hours') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  await db.query(`update tidemark.source_table set mark = jsonb_set(mark, '{at}', to_jsonb(${then}))`);
  await db.query(`update tidemark.daemon_work set ended_at = now() - interval '25 hours'`);
  const third = scene.start(['--log-level', 'debug']);
  await third.says('exported', { table: 'public.invoice', rows: 1 });
  await third.says('loaded', { load: 'events', rows: 1 });
  await third.says('nothing to do', { kind: 'vacuum', table: 'public.invoice' });
  await settled(third);
  expect([third.said('exported').length, third.said('loaded').length]).toEqual([1, 1]);
  // Rows that wait since then are compacted at the compaction's next time, not before.
  expect(third.said('compacted')).toEqual([]);
});
