/** Runs that find little or nothing: what users wait for every five minutes. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { ROOT } from '../../test/support/postgres-server.ts';
import { measure, median } from '../measure.ts';
import type { Section } from '../report.ts';
import { tidemarkFolder } from './contenders.ts';
import { createIdle } from './tables.ts';

const TIDEMARK = path.join(ROOT, 'bin/tidemark');
const ms = (seconds: number[]) => (median(seconds) * 1000).toFixed(0);

/** 1,000 changed rows of a large table; and a run that finds nothing. `inside`: what export --json says of the table's own part. */
export async function changedRows(client: pg.Client, cwd: string, table: string, rounds: number): Promise<Section> {
  const run = async () => {
    const out = path.join(cwd, 'out.json');
    const taken = await measure(['sh', '-c', `exec "${TIDEMARK}" export --table ${table} --json > out.json`], { cwd });
    const [result] = JSON.parse(await readFile(out, 'utf8')).tables as { rows: number; seconds: number }[];
    return { ...taken, rows: result.rows, inside: result.seconds };
  };
  await run();
  const changed = [];
  const idle = [];
  for (let round = 0; round < rounds; round++) {
    await client.query(
      `update ${table} set l_comment = 'round ${round}', updated_at = now() where l_id in (select (random() * 1999999)::bigint + 1 from generate_series(1, 1000))`,
    );
    changed.push(await run());
    idle.push(await run());
  }
  const row = (name: string, runs: Awaited<ReturnType<typeof run>>[]) => [
    name,
    median(runs.map((r) => r.rows)).toFixed(0),
    ms(runs.map((r) => r.inside)),
    ms(runs.map((r) => r.wall)),
    median(runs.map((r) => r.cpu)).toFixed(2),
    median(runs.map((r) => r.rssMb)).toFixed(0),
  ];
  return {
    title: `small runs over ${table}`,
    head: ['', 'rows', 'ms in the process, connected', 'ms of the whole command', 'CPU s', 'peak RSS MB'],
    rows: [row('1,000 rows changed', changed), row('nothing changed', idle)],
  };
}

export async function idleTables(client: pg.Client, root: string, url: string, rounds: number): Promise<Section> {
  await client.query('create database idle');
  const idleUrl = Object.assign(new URL(url), { pathname: '/idle' }).href;
  const idle = new pg.Client({ connectionString: idleUrl });
  await idle.connect();
  await createIdle(idle, 1000);
  await idle.end();
  const cwd = await tidemarkFolder(root, 'idle', idleUrl);
  const command = [TIDEMARK, 'export', '--all', '--quiet'];
  const first = await measure(command, { cwd });
  const runs = [];
  for (let round = 0; round < rounds; round++) runs.push(await measure(command, { cwd }));
  return {
    title: '1,000 tables, export --all',
    head: ['', 'wall s', 'client CPU s', 'peak RSS MB'],
    rows: [
      ['first export of 100 rows each', first.wall.toFixed(2), first.cpu.toFixed(2), first.rssMb.toFixed(0)],
      [
        'nothing changed',
        median(runs.map((r) => r.wall)).toFixed(2),
        median(runs.map((r) => r.cpu)).toFixed(2),
        median(runs.map((r) => r.rssMb)).toFixed(0),
      ],
    ],
  };
}

export async function startUp(rounds: number): Promise<Section> {
  const runs = [];
  for (let round = -1; round < rounds; round++) {
    const taken = await measure([TIDEMARK, '--help']);
    if (round >= 0) runs.push(taken);
  }
  return {
    title: 'start-up',
    head: ['', 'wall ms', 'CPU s', 'peak RSS MB'],
    rows: [
      [
        'tidemark --help',
        ms(runs.map((r) => r.wall)),
        median(runs.map((r) => r.cpu)).toFixed(2),
        median(runs.map((r) => r.rssMb)).toFixed(0),
      ],
    ],
  };
}
