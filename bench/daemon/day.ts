/** A day of the daemon at speed: its clock jumps to what is due next, all else is real. What grows? */

import { fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Section } from '../report.ts';

const TABLES = 20;

/** Once a simulated hour, after a collection of garbage. */
export type DaySample = {
  hour: number;
  heapMb: number;
  rssMb: number;
  handles: number;
  files: number;
  spoolMb: number;
  /** Exports begun: most find nothing. */
  looks: number;
  runs: number;
};

type Found = { what: string; measured: string; reached: boolean };

export async function simulatedDay(root: string, url: string, hours: number): Promise<[Section, Found[]]> {
  const cwd = path.join(root, 'day');
  await mkdir(cwd);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (let i = 0; i < TABLES; i++) {
    await client.query(`create table day_${i} (id bigint primary key, note text, updated_at timestamptz not null default now());
      insert into day_${i} select i, 'row ' || i from generate_series(1, 1000) i; create index on day_${i} (updated_at)`);
  }
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: "${url}" }
lake: file:./lake
spool: { path: ./spool }
schedule: { export: "* * * * *", compact: "*/15 * * * *", vacuum: "0 4 * * *" }
status: { listen: "127.0.0.1:0" }
`,
  );
  const child = fork(fileURLToPath(new URL('day-process.ts', import.meta.url)), [String(hours)], {
    cwd,
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const samples: (DaySample & { stateRows: number })[] = [];
  const began = performance.now();
  let working: Promise<void> = Promise.resolve();
  child.on('message', (message: { minute: number } | { sample: DaySample }) => {
    working = working.then(async () => {
      if ('sample' in message) samples.push({ ...message.sample, stateRows: await stateRows(client) });
      // A table changes every ten minutes, one after another: most exports find nothing, as on most days.
      else if (message.minute % 10 < 2)
        await client.query(
          `update day_${Math.floor(Math.random() * TABLES)} set note = 'minute ${message.minute}', updated_at = now() where id % 10 = ${message.minute % 10}`,
        );
      child.send({ done: true });
    });
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`the day ended with ${code}`);
  await working;
  await client.end();
  const minutes = (performance.now() - began) / 60_000;
  const shown = samples.filter(({ hour }) => hour % Math.max(1, Math.round(hours / 8)) === 0);
  const section: Section = {
    title: `${hours} simulated hours in ${minutes.toFixed(1)} minutes: ${TABLES} tables, exported every minute`,
    head: [
      'hour',
      'heap MB',
      'RSS MB',
      'handles',
      'open files',
      'spool MB',
      'exports so far',
      'runs so far',
      'rows in the state store',
    ],
    rows: shown.map((s) =>
      [
        s.hour,
        s.heapMb.toFixed(1),
        s.rssMb.toFixed(0),
        s.handles,
        s.files,
        s.spoolMb.toFixed(1),
        s.looks,
        s.runs,
        s.stateRows,
      ].map(String),
    ),
  };
  return [section, growth(samples)];
}

/** From the first quarter on: what a process fills once is not growth. */
function growth(samples: (DaySample & { stateRows: number })[]): Found[] {
  const early = samples[Math.floor(samples.length / 4)];
  const late = samples.at(-1)!;
  const what = (name: string) => `a simulated day: ${name} does not grow`;
  const from = (a: number, b: number, digits = 0) => `${a.toFixed(digits)} to ${b.toFixed(digits)}`;
  return [
    {
      what: what('the heap'),
      measured: `${from(early.heapMb, late.heapMb, 1)} MB`,
      reached: late.heapMb < early.heapMb + 5,
    },
    {
      what: what('resident memory'),
      measured: `${from(early.rssMb, late.rssMb)} MB`,
      reached: late.rssMb < early.rssMb * 1.1,
    },
    {
      what: what('the number of handles'),
      measured: from(early.handles, late.handles),
      reached: late.handles <= early.handles + 3,
    },
    {
      what: what('the number of open files'),
      measured: from(early.files, late.files),
      reached: late.files <= early.files + 3,
    },
    {
      what: what('the spool'),
      measured: `${from(early.spoolMb, late.spoolMb, 1)} MB`,
      reached: late.spoolMb <= early.spoolMb + 1,
    },
  ];
}

/** All tables of the state store, counted. */
async function stateRows(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_stat_user_tables where schemaname = 'tidemark'`,
  );
  let sum = 0;
  for (const { name } of rows)
    sum += Number((await client.query(`select count(*) as n from tidemark.${name}`)).rows[0].n);
  return sum;
}
