/** A folder with drops, a target database and a configuration, for tests of whole loads. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { type Ended, runHere } from '../../support/cli.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

export type Event = { id: number | string; kind?: string; amount?: unknown };

export type LoadScene = {
  cwd: string;
  database: TestDatabase;
  /** Writes a drop below drops/: events, or lines as they are; gzipped when its name says so. */
  drop(name: string, lines: (Event | string)[]): Promise<void>;
  /** `more`: lines of the load's entry. */
  configure(more?: string, from?: string): Promise<void>;
  /** `tidemark load …`, within this process. */
  load(...args: string[]): Promise<Ended>;
  /** The same with --json, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: the document is what is tested.
  loadJson(...args: string[]): Promise<any>;
  rows(): Promise<{ id: string; kind: string | null; amount: string | null }[]>;
};

const TABLE = 'create table events (id bigint primary key, kind text, amount numeric(12, 2) check (amount < 1000))';

export async function loadScene(): Promise<LoadScene> {
  const database = await createDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  await database.query(TABLE);
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-load-'));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  await mkdir(path.join(cwd, 'drops'));
  const scene: LoadScene = {
    cwd,
    database,
    async drop(name, lines) {
      const file = path.join(cwd, 'drops', name);
      await mkdir(path.dirname(file), { recursive: true });
      const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
      await writeFile(file, name.endsWith('.gz') ? gzipSync(text) : text);
    },
    async configure(more = '', from = 'file:./drops/**') {
      await writeFile(path.join(cwd, 'tidemark.yaml'), configuration(database.url, from, more));
    },
    load: (...args) => runHere(['load', ...args], { cwd }),
    async loadJson(...args) {
      const { stdout } = await runHere(['load', '--json', ...args], { cwd });
      return JSON.parse(stdout);
    },
    rows: () => database.query('select id::text, kind, amount::text from events order by id'),
  };
  await scene.configure();
  return scene;
}

function configuration(url: string, from: string, more: string): string {
  return `source: { url: "${url}" }
lake: file:./lake
spool: { path: ./spool }
loads:
  - load: events
    from: ${from}
    into: events
    target: "${url}"
    key: id
    columns:
      id: { type: bigint, required: true }
      kind: { type: text }
      amount: { type: "numeric(12,2)" }
${more}`;
}
