/** What tests that kill exports at each step share: lakes, tables, and which steps were struck. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import type { TableSettings } from '../../src/model/table.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { bucketLake, folderLake, type Scene, scene, type TestLake } from './scene.ts';

/** The `nth` time, from 1, that a run comes by a step. */
export type At = { step: string; nth: number };

export type Stage = {
  readonly db: TestDatabase;
  /** Every step at which a process was killed. */
  struck: Set<string>;
  newScene(kind: string): Promise<{ on: Scene; lake: TestLake }>;
  newTable(): Promise<string>;
  dies(on: Scene, table: string, at: At): Promise<void>;
};

/** A test starts up to sixty, one after another. */
export const MANY_PROCESSES = { testTimeout: 360_000 };

/** A database and an S3 server for the tests of a file; call it at the top level. `settings`: of the tables. */
export function stage(
  createTable: (db: TestDatabase, table: string) => Promise<void>,
  settings: Partial<TableSettings> = {},
): Stage {
  vi.setConfig(MANY_PROCESSES);
  let db: TestDatabase;
  let server: S3Server;
  let tables = 0;
  const lakes: TestLake[] = [];
  const struck = new Set<string>();
  beforeAll(async () => {
    db = await createDatabase();
    await db.query('create sequence version');
    server = await startS3Server();
  });
  afterAll(async () => {
    for (const lake of lakes) await lake[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
  });
  return {
    get db() {
      return db;
    },
    struck,
    async newScene(kind) {
      const lake = kind === 'folder' ? await folderLake() : bucketLake(server);
      lakes.push(lake);
      return { on: scene(db, lake, settings), lake };
    },
    async newTable() {
      const table = `t${++tables}`;
      await createTable(db, table);
      return table;
    },
    async dies(on, table, { step, nth }) {
      await on.dies(table, step, nth);
      struck.add(step);
    },
  };
}

/** Each name with how often it came by then. */
export function placesIn(names: string[]): At[] {
  return names.map((step, i) => ({ step, nth: names.slice(0, i + 1).filter((name) => name === step).length }));
}

/** Two at a time: the machine waits for processes to start. */
export async function inPairs<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const next = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([next(), next()]);
}

/** The steps that the files of a folder name, without the folders in it. */
export async function stepsNamedIn(folder: string): Promise<string[]> {
  const at = path.join(ROOT, folder);
  const named = new Set<string>();
  for (const name of (await readdir(at)).filter((each) => each.endsWith('.ts'))) {
    const source = await readFile(path.join(at, name), 'utf8');
    for (const [, step] of source.matchAll(/\bstep\('([a-z-]+)'\)/g)) named.add(step);
  }
  return [...named];
}
