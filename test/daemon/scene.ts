/** `tidemark daemon` as a process, over a database and a lake folder of its own. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, vi } from 'vitest';
import { type Ended, runHere, startCli } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

/** Much more than it takes: of a machine that does much else too. */
export const PATIENCE = { timeout: 60_000, interval: 50 };

export type Line = { level: string; time: string; msg: string } & Record<string, unknown>;

export type Running = {
  kill(signal: NodeJS.Signals): void;
  ended: Promise<Ended>;
  /** Its log so far. */
  lines(): Line[];
  /** Those with this message. */
  said(msg: string): Line[];
  /** Resolves once there is such a line; fails after a minute. */
  says(msg: string, of?: Record<string, unknown>): Promise<Line>;
};

export type DaemonScene = AsyncDisposable & {
  db: TestDatabase;
  cwd: string;
  /** Makes a table with a key and updated_at, and rows 1 to `rows`. */
  table(name: string, rows?: number): Promise<void>;
  /** tidemark.yaml is `config` over the defaults: exports each second, compactions right after them. */
  configure(config?: object): Promise<void>;
  start(args?: string[], env?: Record<string, string>): Running;
  /** Rows of DuckDB over the lake. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Leases that somebody holds. */
  held(): Promise<string[]>;
};

const AWS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'sesamesesame', AWS_EC2_METADATA_DISABLED: 'true' };

export async function daemonScene(serverUrl?: string): Promise<DaemonScene> {
  const db = await createDatabase(serverUrl);
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-daemon-'));
  const running: Running[] = [];
  const env = { ...AWS, DATABASE_URL: db.url };
  return {
    db,
    cwd,
    async table(name, rows = 3) {
      await db.query(
        `create table ${name} (id int primary key, note text, updated_at timestamptz not null default now())`,
      );
      await db.query(`insert into ${name} select g, 'row ' || g from generate_series(1, ${rows}) g`);
    },
    async configure(config = {}) {
      const whole = {
        source: { url: `$${'{DATABASE_URL}'}`, connections: 3 },
        lake: 'file:./lake',
        spool: { path: './spool' },
        status: { listen: '127.0.0.1:0' },
        schedule: { export: '@every 1s', compact_after: { time: '0s' } },
        ...config,
      };
      await writeFile(path.join(cwd, 'tidemark.yaml'), JSON.stringify(whole));
    },
    start(args = [], more = {}) {
      const process = startCli(['daemon', ...args], { cwd, env: { ...env, ...more } });
      const lines = () =>
        process
          .stderr()
          .split('\n')
          .filter((line) => line.startsWith('{') && line.endsWith('}'))
          .map((line) => JSON.parse(line) as Line);
      const said = (msg: string) => lines().filter((line) => line.msg === msg);
      const started: Running = {
        kill: process.kill,
        ended: process.ended,
        lines,
        said,
        says: (msg, of = {}) =>
          vi.waitFor(() => {
            const found = said(msg).find((line) => Object.entries(of).every(([key, value]) => line[key] === value));
            if (!found) expect(process.stderr()).toContain(`${msg} ${JSON.stringify(of)}`);
            return found!;
          }, PATIENCE),
      };
      running.push(started);
      return started;
    },
    async query(sql) {
      const { code, stdout, stderr } = await runHere(['query', sql, '--format', 'json'], { cwd, env });
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout) as Record<string, unknown>[];
    },
    async held() {
      const rows = await db.query<{ held: string }>(
        `select l.kind || ' ' || t.folder as held from tidemark.lease l join tidemark.source_table t on t.id = table_id
         where holder is not null order by 1`,
      );
      return rows.map(({ held }) => held);
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) each.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
      await db[Symbol.asyncDispose]();
      await rm(cwd, { recursive: true, force: true });
    },
  };
}
