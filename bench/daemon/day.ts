/** A day of the daemon at speed: its clock jumps to what is due next, all else is real. What grows? */

import { fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Section } from '../report.ts';
import { createTables } from './tables.ts';

const TABLES = 20;
/** Simulated minutes after which the rows in the state store are made older by as much: its clock is the real one. */
const AGED = 30;

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
  await createTables(client, 'day', TABLES, 1000);
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: "${url}" }
lake: file:./lake
spool: { path: ./spool }
defaults: { retention: 2h }
schedule: { export: "* * * * *", compact: "*/15 * * * *", vacuum: "0 * * * *" }
status: { listen: "127.0.0.1:0" }
`,
  );
  const child = fork(fileURLToPath(new URL('day-process.ts', import.meta.url)), [String(hours)], {
    cwd,
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const samples: Sample[] = [];
  const began = performance.now();
  let working: Promise<void> = Promise.resolve();
  child.on('message', (message: { minute: number } | { sample: DaySample }) => {
    working = working.then(async () => {
      if ('sample' in message) {
        samples.push({ ...message.sample, ...(await stateOf(client)) });
      } else {
        const { minute } = message;
        if (minute % AGED === 0) await age(client);
        // One table changes every minute, another one every ten: most exports find nothing, as on most days.
        for (const table of minute % 10 < 2 ? [0, 1 + Math.floor(Math.random() * (TABLES - 1))] : [0])
          await client.query(
            `update day_${table} set note = 'minute ${minute}', updated_at = now() where id % 10 = ${minute % 10}`,
          );
      }
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
    title: `${hours} simulated hours in ${minutes.toFixed(1)} minutes: ${TABLES} tables, exported every minute, one of them changed every minute`,
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
      'MB',
      'runs of the busy table in it',
      'archived',
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
        s.stateMb.toFixed(1),
        s.busyRuns,
        s.archivedRuns,
      ].map(String),
    ),
  };
  return [section, growth(samples)];
}

/** From the first quarter on: what a process fills once is not growth. */
function growth(samples: Sample[]): Found[] {
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
    {
      what: 'a simulated day: of a table that changes every minute no more than 400 runs are in the state store at any hour',
      measured: `${Math.max(...samples.map(({ busyRuns }) => busyRuns))}, and ${late.archivedRuns} archived`,
      reached: samples.every(({ busyRuns }) => busyRuns <= 400),
    },
  ];
}

type Sample = DaySample & { stateRows: number; stateMb: number; busyRuns: number; archivedRuns: number };

/** All tables of the state store, counted, and the runs of the table that changes every minute. */
async function stateOf(client: pg.Client): Promise<Omit<Sample, keyof DaySample>> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `select relname as name, pg_total_relation_size(relid) as bytes from pg_stat_user_tables where schemaname = 'tidemark'`,
  );
  let [stateRows, bytes] = [0, 0];
  for (const { name, bytes: own } of rows) {
    stateRows += Number((await client.query(`select count(*) as n from tidemark.${name}`)).rows[0].n);
    bytes += Number(own);
  }
  if (!rows.some(({ name }) => name === 'archived_runs'))
    return { stateRows, stateMb: 0, busyRuns: 0, archivedRuns: 0 };
  const busy = `table_id = (select id from tidemark.source_table where folder = 'day_0')`;
  const counted = await client.query<{ live: number; archived: number }>(
    `select (select count(*)::int from tidemark.run where ${busy}) as live,
       (select coalesce(sum(runs), 0)::int from tidemark.archived_runs where ${busy}) as archived`,
  );
  const [{ live, archived }] = counted.rows;
  return { stateRows, stateMb: bytes / 2 ** 20, busyRuns: live, archivedRuns: archived };
}

async function age(client: pg.Client): Promise<void> {
  const { rows } = await client.query(`select to_regclass('tidemark.run') as there`);
  if (rows[0].there === null) return;
  await client.query(`update tidemark.run set finished_at = finished_at - interval '${AGED} minutes'`);
}
