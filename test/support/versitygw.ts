/** A real S3 server for tests, where there is one. Invariant: started on a free port over a new folder, killed and removed at the end. */

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const CACHE = fileURLToPath(new URL('../../.cache/bin/versitygw', import.meta.url));

export type Versitygw = AsyncDisposable & { endpoint: string; bucketName: string; folder: string };

/** Keys of the server; it checks every signature. */
export const VERSITYGW_KEYS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testtest' };

/** The binary's path; null when there is none, but an error where nothing may be skipped (`TIDEMARK_NO_SKIP`). */
export function findVersitygw(): string | null {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'versitygw'));
  const places = [process.env.VERSITYGW, ...onPath, join(homedir(), 'go/bin/versitygw'), CACHE];
  const found = places.find((place) => place !== undefined && place !== '' && existsSync(place));
  if (found === undefined && process.env.TIDEMARK_NO_SKIP) {
    throw new Error('no versitygw here and nothing may be skipped: run .ci/versitygw');
  }
  return found ?? null;
}

/** A user besides the owner of all: what a bucket's policy allows is all that it may do. */
export type VersitygwUser = { access: string; secret: string };

/** Starts it with one bucket, `lake`. */
export async function startVersitygw(binary: string, user?: VersitygwUser): Promise<Versitygw> {
  const base = await mkdtemp(join(tmpdir(), 'tidemark-versitygw-'));
  await mkdir(join(base, 'data', 'lake'), { recursive: true });
  const port = await freePort();
  const args = ['--access', VERSITYGW_KEYS.AWS_ACCESS_KEY_ID, '--secret', VERSITYGW_KEYS.AWS_SECRET_ACCESS_KEY];
  const options = ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet'];
  if (user) {
    await mkdir(join(base, 'iam'));
    options.push('--iam-dir', join(base, 'iam'));
  }
  const server = spawn(binary, [...args, ...options, 'posix', join(base, 'data')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(endpoint)); tries++) {
    if (tries === 600 || server.exitCode !== null) throw new Error('versitygw does not start');
    await delay(50);
  }
  if (user) {
    const made = ['--access', user.access, '--secret', user.secret, '--role', 'user'];
    const owner = ['--access', VERSITYGW_KEYS.AWS_ACCESS_KEY_ID, '--secret', VERSITYGW_KEYS.AWS_SECRET_ACCESS_KEY];
    const asOwner = ['admin', ...owner, '--endpoint-url', endpoint];
    await promisify(execFile)(binary, [...asOwner, 'create-user', ...made]);
  }
  return {
    endpoint,
    bucketName: 'lake',
    folder: join(base, 'data', 'lake'),
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL');
      await ended;
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    await (await fetch(endpoint)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
