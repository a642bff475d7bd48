/** Starts the one Postgres server that most tests share, once a test run. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string;
    /** 18, or what TIDEMARK_TEST_POSTGRES is. */
    postgresMajor: number;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  project.provide('postgresUrl', server.url());
  project.provide('postgresMajor', Number(await readFile(path.join(server.dataDir, 'PG_VERSION'), 'utf8')));
  return async () => server[Symbol.asyncDispose]();
}
