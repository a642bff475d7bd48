/** 200 tables, exported every minute, in which nothing changes: what a daemon costs that has nothing to do. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Section } from '../report.ts';
import { startDaemon } from './daemon-process.ts';
import { createTables } from './tables.ts';

const TABLES = 200;

export type IdleFigures = { cpuPercent: number; rssMb: number };

export async function idleDaemon(root: string, url: string, seconds: number): Promise<[Section, IdleFigures]> {
  const cwd = path.join(root, 'idle');
  await mkdir(cwd);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await createTables(client, 'idle', TABLES, 100);
  await client.query('vacuum analyze');
  const yaml = (compact: string) => `source: { url: "${url}" }
lake: file:./lake
schedule: { export: "@every 1m", compact: "${compact}", vacuum: off }
status: { listen: "127.0.0.1:0" }
`;
  const number = async (text: string) => Number((await client.query(text)).rows[0].n);
  const first = await startDaemon(cwd, yaml('@every 5s'));
  // It exports and compacts all there is: what a day begins with.
  const compacted = `select count(*) as n from tidemark.staged_table where version is not null`;
  while ((await number(compacted).catch(() => 0)) < TABLES) await sleep(500);
  const busy = await first.usage();
  await first.stop();

  await using daemon = await startDaemon(cwd, yaml('*/15 * * * *'));
  // Its first minute, in which it gets to know the tables, is not what a day is made of.
  await sleep(Math.min(60, seconds) * 1000);
  const transactions = `select xact_commit + xact_rollback as n from pg_stat_database where datname = current_database()`;
  const before = await number(transactions);
  const begin = await daemon.usage();
  const began = performance.now();
  let rssMb = begin.rssMb;
  while (performance.now() - began < seconds * 1000) {
    await sleep(1_000);
    rssMb = Math.max(rssMb, (await daemon.usage()).rssMb);
  }
  const end = await daemon.usage();
  const elapsed = (performance.now() - began) / 1000;
  const served = (await number(transactions)) - before;
  const looked = await number(
    `select count(*) as n from tidemark.source_table where last_checked_at > now() - interval '90 s'`,
  );
  const cpuPercent = ((end.cpuSeconds - begin.cpuSeconds) / elapsed) * 100;
  await daemon.stop();
  await client.end();
  const rows = [
    ['seconds watched', elapsed.toFixed(0)],
    ['tables looked at within the last 90 s', String(looked)],
    ['CPU of the daemon, of one core', `${cpuPercent.toFixed(2)}%`],
    ['transactions a second in the source and state store', (served / elapsed).toFixed(1)],
    ['RSS MB, greatest', rssMb.toFixed(0)],
    ['RSS MB of a process that has just exported and compacted all of them', busy.rssMb.toFixed(0)],
  ];
  return [
    { title: `${TABLES} tables, exported every minute, nothing changes`, head: ['', 'measured'], rows },
    { cpuPercent, rssMb },
  ];
}
