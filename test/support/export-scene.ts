/** The real command, a database and a lake folder, for tests of what a user sees; and what must hold after every failure. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { type Ended, runHere, startCli } from './cli.ts';
import { lakeRows } from './lake-rows.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';

/** tidemark.yaml, as JSON; `source` and `lake` have defaults. */
export type SceneConfig = {
  source?: object;
  state?: object;
  spool?: object;
  lake?: string;
  s3?: object;
  defaults?: object;
  tables?: object[];
};

export type ExportScene = AsyncDisposable & {
  db: TestDatabase;
  cwd: string;
  /** Makes a table with a key and updated_at, and rows 1 to `rows`. */
  table(name: string, rows?: number): Promise<void>;
  start(args: string[], config?: SceneConfig, env?: Record<string, string>): Promise<ReturnType<typeof startCli>>;
  run(args: string[], config?: SceneConfig, env?: Record<string, string>): Promise<Ended>;
  /** `export --table`, with everything logged. */
  export(table: string, config?: SceneConfig, env?: Record<string, string>): Promise<Ended>;
  /** Nothing of the table is visible in the lake folder, no upload is left open, and there is no mark. */
  isUntouched(table: string): Promise<void>;
  /** A normal export works, and then every row is there once; nothing is left over. */
  isWholeAfterwards(table: string, config?: SceneConfig, env?: Record<string, string>): Promise<void>;
};

/** Credentials for the test server, and no look at those of the machine. */
const AWS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'sesamesesame', AWS_EC2_METADATA_DISABLED: 'true' };

export async function exportScene(): Promise<ExportScene> {
  const db = await createDatabase();
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-export-'));
  let configs = 0;
  const files = async (folder: string) => {
    const found = await readdir(path.join(cwd, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    return found.filter((each) => each.isFile()).map((each) => path.join(each.parentPath, each.name));
  };
  const prepare = async (args: string[], config: SceneConfig = {}, env: Record<string, string> = {}) => {
    const whole = { source: { url: variable('DATABASE_URL') }, lake: 'file:./lake', ...config };
    const file = `tidemark-${++configs}.yaml`;
    await writeFile(path.join(cwd, file), JSON.stringify(whole));
    const options = { cwd, env: { ...AWS, DATABASE_URL: db.url, STATE_URL: db.url, ...env } };
    return { args: [...args, '--config', file], options };
  };
  const start: ExportScene['start'] = async (...given) => {
    const { args, options } = await prepare(...given);
    return startCli(args, options);
  };
  const here = async (...given: Parameters<typeof prepare>) => {
    const { args, options } = await prepare(...given);
    return runHere(args, options);
  };
  const scene: ExportScene = {
    db,
    cwd,
    async table(name, rows = 100) {
      await db.query(`create table ${name} (id int primary key, updated_at timestamptz not null default now())`);
      await db.query(`insert into ${name} select generate_series(1, ${rows})`);
    },
    start,
    run: async (...all) => (await start(...all)).ended,
    export: (table, ...rest) => scene.run(['export', '--table', table, '--log-level', 'trace'], ...rest),
    async isUntouched(table) {
      expect([...(await files(`lake/raw/${table}`)), ...(await files(`lake/_uploads/raw/${table}`))]).toEqual([]);
      const [store] = await db.query<{ there: boolean }>(
        `select to_regclass('tidemark.source_table') is not null as there`,
      );
      if (!store.there) return;
      const marks = await db.query('select mark from tidemark.source_table where folder = $1 and mark is not null', [
        table,
      ]);
      expect(marks).toEqual([]);
    },
    async isWholeAfterwards(table, config, env) {
      const { code, stdout, stderr } = await here(['export', '--table', table], config, env);
      expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
      const ids = (await lakeRows(path.join(cwd, 'lake/raw', table))).map((row) => Number(row.id));
      const rows = await db.query<{ id: number }>(`select id from ${table} order by id`);
      expect(ids.sort((a, b) => a - b)).toEqual(rows.map(({ id }) => id));
      expect(await files(`lake/_uploads/raw/${table}`)).toEqual([]);
      const open = await db.query(
        `select run, r.state, holder from tidemark.source_table t join tidemark.run r on r.table_id = t.id
         join tidemark.lease l on l.table_id = t.id
         where folder = $1 and (r.state in ('planned', 'prepared') or holder is not null)`,
        [table],
      );
      expect(open).toEqual([]);
    },
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await rm(cwd, { recursive: true, force: true });
    },
  };
  return scene;
}

/** A reference to it, as tidemark.yaml has them. */
export const variable = (name: string) => `$\{${name}}`;

/** One error line with a hint that helps; no secret anywhere, whatever is logged. */
export function expectError(ended: Ended, expected: { exit: number; code: string; says: RegExp; hint: RegExp }): void {
  const output = ended.stdout + ended.stderr;
  const [, code, message, hint] = /^([A-Z_]+): (.+)\nhint: (.+)\ndocs: docs\/errors\.md#/m.exec(output) ?? [];
  expect({ exit: ended.code, code, message, hint, output }).toMatchObject({
    exit: expected.exit,
    code: expected.code,
    message: expect.stringMatching(expected.says),
    hint: expect.stringMatching(expected.hint),
  });
  expect(output).not.toMatch(/hushhush|sesame/);
  expect(output).not.toContain('INTERNAL');
}
