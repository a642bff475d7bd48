/** How the drops are loaded by tidemark and by those it is held against; each a command of its own. */

import { execFile } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../test/support/postgres-server.ts';
import { type Drops, KEPT } from './drops.ts';

const run = promisify(execFile);

export type Contender = {
  name: string;
  command: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** What was measured stands for so many times as much. */
  scale: number;
  /** Starts with an empty table, or with what the run before left. */
  fresh: boolean;
  /** Rows that the table must have afterwards. */
  rows: number;
};

export const TABLE = `create table events (
  event_id uuid primary key, user_id bigint, event_type text, ts timestamptz, amount numeric)`;

/** `from`: of the drops; `s3` lines for the configuration. */
export async function tidemark(
  root: string,
  url: string,
  about: { name: string; from: string; s3?: string; env?: Record<string, string>; rows: number; fresh?: boolean },
): Promise<Contender> {
  const { name, from, s3 = '', env, rows, fresh = true } = about;
  const cwd = path.join(root, name.replaceAll(/\W+/g, '-'));
  await mkdir(cwd, { recursive: true });
  const text = `source: { url: "${url}" }
lake: file:./lake
loads:
  - load: events
    from: ${from}
${s3}    into: events
    target: ${url}
    key: [event_id]
    columns:
      event_id: { type: uuid, required: true }
      user_id: { type: bigint }
      event_type: { type: text }
      ts: { type: timestamptz }
      amount: { type: numeric }
    keep: { event_type: [${KEPT.join(', ')}] }
`;
  await writeFile(path.join(cwd, 'tidemark.yaml'), text);
  return { name, command: [path.join(ROOT, 'bin/tidemark'), 'load', 'events'], cwd, env, scale: 1, fresh, rows };
}

/** The floor: rows that somebody else unpacked, checked and chose already. */
export async function psql(root: string, url: string, { prepared, kept }: Drops): Promise<Contender> {
  const script = path.join(root, 'floor.sql');
  await writeFile(
    script,
    `begin;
set local work_mem = '64MB';
create temp table incoming (like events) on commit drop;
\\copy incoming from '${prepared}'
insert into events select distinct on (event_id) * from incoming order by event_id on conflict do nothing;
commit;
`,
  );
  const command = ['psql', url, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', script];
  return { name: 'psql \\copy of prepared rows, sorted INSERT', command, scale: 1, fresh: true, rows: kept };
}

/** The first `files` of the drops. `kept`: the rows of these. */
export function executeValues(python: string, url: string, folder: string, processes: number, part: Part): Contender {
  const script = path.join(import.meta.dirname, 'peers/seed.py');
  return {
    name: `Python execute_values, a connection a file, ${processes} processes${part.scale > 1 ? ` (${part.files} files, times ${part.scale})` : ''}`,
    command: [python, script, url, folder, String(processes), String(part.files)],
    scale: part.scale,
    fresh: true,
    rows: part.kept,
  };
}

export type Part = { files: number; scale: number; kept: number };

/** A virtual environment of the benchmark's own, made once, from PyPI. */
export async function preparePython(): Promise<string> {
  const venv = path.join(ROOT, '.cache/bench-load-python');
  const python = path.join(venv, 'bin/python');
  const complete = path.join(venv, 'psycopg2-binary==2.9.11');
  if (!(await stat(complete).catch(() => null))) {
    await run('python3', ['-m', 'venv', '--clear', venv]);
    await run(python, ['-m', 'pip', 'install', '-q', path.basename(complete)]);
    await writeFile(complete, '');
  }
  return python;
}
