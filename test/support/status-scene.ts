/** The status server over a real database, state store and lake, with a board that the test writes on. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createLog } from '../../src/cli/log.ts';
import { openEngine } from '../../src/compact/open-engine.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { type Asked, Board, type How, type ShownError, type Work } from '../../src/daemon/board.ts';
import type { StatusDeps } from '../../src/status/deps.ts';
import { startStatus } from '../../src/status/start-status.ts';
import { createExporter, type Exporter } from './exporter.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';
import { never } from './state.ts';

export type StatusScene = AsyncDisposable & {
  database: TestDatabase;
  exporter: Exporter;
  board: Board;
  config: Config;
  deps: StatusDeps;
  url: string;
  /** What was asked of the board, in order. */
  asked: (Work & How)[];
  /** Every line that was logged. */
  logged(): string;
  get(path: string, headers?: Record<string, string>): Promise<{ status: number; text: string; headers: Headers }>;
  post(
    path: string,
    fields?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<{ status: number; text: string; headers: Headers }>;
};

export type SceneOptions = {
  token?: string;
  listen?: string;
  /** More of tidemark.yaml. */
  yaml?: string;
  /** `${NAME}` of it. */
  env?: Record<string, string>;
  secrets?: string[];
  answer?: Asked;
  /** Of a server other than the one that tests share. */
  serverUrl?: string;
  sourceUrl?: (database: TestDatabase) => string;
  deps?: Partial<StatusDeps>;
};

export async function createStatusScene(options: SceneOptions = {}): Promise<StatusScene> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase(options.serverUrl));
  const exporter = stack.use(await createExporter(database.url));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-status-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const secrets = options.secrets ?? [];
  let lines = '';
  const log = await createLog(
    (text) => {
      lines += text;
    },
    { level: 'debug', pretty: false, colors: false, secrets },
  );
  const yaml = [
    `source: { url: '${options.sourceUrl?.(database) ?? database.url}' }`,
    `lake: file:${exporter.lakeDir}`,
    `spool: { path: ${folder}/spool }`,
    `status: { listen: '${options.listen ?? '127.0.0.1:0'}', token: '${options.token ?? ''}' }`,
    options.yaml ?? '',
  ].join('\n');
  const file = path.join(folder, 'tidemark.yaml');
  const config = parseConfig(yaml, { file, shown: 'tidemark.yaml', env: options.env ?? {}, secrets });
  const board = new Board(Date.now() - 3_600_000);
  const asked: (Work & How)[] = [];
  board.answer((work, how) => {
    asked.push({ ...work, ...how });
    return options.answer ?? 'queued';
  });
  const deps: StatusDeps = {
    board,
    config: () => config,
    env: {},
    state: exporter.state,
    lake: exporter.lake,
    engine: () => openEngine(config, exporter.lake, { log } as Parameters<typeof openEngine>[2]),
    log,
    secrets,
    clock: Date.now,
    sourceConnections: () => 1,
    ...options.deps,
  };
  const server = stack.use(await startStatus(deps, never));
  const ask = async (at: string, init: RequestInit) => {
    const answer = await fetch(new URL(at, server.url), { redirect: 'manual', ...init });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  return {
    database,
    exporter,
    board,
    config,
    deps,
    url: server.url,
    asked,
    logged: () => lines,
    get: (at, headers = {}) => ask(at, { headers }),
    post: (at, fields = {}, headers = {}) =>
      ask(at, { method: 'POST', body: new URLSearchParams(fields), headers: { origin: server.url, ...headers } }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export const shownError = (message: string, hint: string | null = null): ShownError => ({
  code: 'SOURCE_UNREACHABLE',
  message,
  hint,
});
