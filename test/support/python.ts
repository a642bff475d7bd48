/** A Python with pyarrow, DuckDB and delta-rs for tests. Invariant: installed once in .cache/python, whatever number of test workers ask for it. */

import { execFile, spawn } from 'node:child_process';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

// DuckDB's extension as a package: INSTALL would fetch it from elsewhere.
const PACKAGES = ['pyarrow==22.0.0', 'duckdb==1.5.5', 'deltalake==1.6.6', 'duckdb-extension-delta==1.5.5'];
const HOME = join(import.meta.dirname, '../../.cache/python', PACKAGES.join('_').replaceAll('==', '-'));
const READY = join(HOME, 'ready');
const LOCK = `${HOME}.lock`;
const INSTALL_LIMIT_MS = 300_000;
const SCRIPT_LIMIT_MS = 120_000;

/** How to start it: a venv's own interpreter, or the machine's with a folder of packages. */
type Python = { command: string; env: NodeJS.ProcessEnv };

let found: Promise<Python | null> | undefined;

/**
 * Whether `runPython` works here; at first use it installs what is missing. When Python cannot be had, says so and returns false for
 * `test.skipIf(!await pythonAvailable())`; throws instead under TIDEMARK_NO_SKIP, so that CI cannot skip in silence.
 */
export async function pythonAvailable(): Promise<boolean> {
  found ??= prepare().catch((error: unknown) => {
    const reason = `no Python with ${PACKAGES.join(' and ')}: ${String(error).slice(0, 500)}`;
    if (process.env.TIDEMARK_NO_SKIP) throw new Error(reason, { cause: error });
    console.warn(`skipped: ${reason}`);
    return null;
  });
  return (await found) !== null;
}

/** Runs a script whose `argument` is what json.load(sys.stdin) gives, and returns what it prints as JSON. Throws with its stderr. */
export async function runPython(script: string, argument: unknown): Promise<unknown> {
  if (!(await pythonAvailable())) throw new Error('ask pythonAvailable() before runPython()');
  const { command, env } = (await found)!;
  const child = spawn(command, ['-c', script], { env, timeout: SCRIPT_LIMIT_MS });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // A script that fails before it reads would otherwise end the test with EPIPE instead of its own words.
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(argument));
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  if (code !== 0) throw new Error(`python ended with ${code}: ${Buffer.concat(errors)}`);
  return JSON.parse(Buffer.concat(output).toString());
}

async function prepare(): Promise<Python> {
  await mkdir(join(HOME, '..'), { recursive: true });
  for (const deadline = Date.now() + INSTALL_LIMIT_MS; Date.now() < deadline; await sleep(200)) {
    if (await exists(READY)) return JSON.parse(await readFile(READY, 'utf8')) as Python;
    if (await lock()) {
      try {
        return await install();
      } finally {
        await rm(LOCK, { force: true });
      }
    }
  }
  throw new Error(`another process has held ${LOCK} for ${INSTALL_LIMIT_MS / 1000} s`);
}

/** The file names its process: the lock of one that was killed is nobody's. */
async function lock(): Promise<boolean> {
  try {
    await writeFile(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const holder = Number(await readFile(LOCK, 'utf8').catch(() => ''));
    if (holder > 0 && !alive(holder)) await rm(LOCK, { force: true });
    return false;
  }
}

async function install(): Promise<Python> {
  await rm(HOME, { recursive: true, force: true });
  const limit = { timeout: INSTALL_LIMIT_MS, maxBuffer: 1 << 24 };
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  let python: Python = { command: join(HOME, 'venv/bin/python'), env: clean() };
  try {
    await run('python3', ['-m', 'venv', join(HOME, 'venv')], limit);
    await run(python.command, [...pip, ...PACKAGES], { ...limit, env: python.env });
  } catch {
    // Debian's python3 may come without ensurepip, so without venvs: a folder of packages does as well.
    const site = join(HOME, 'site');
    python = { command: 'python3', env: { ...clean(), PYTHONPATH: site } };
    await run('python3', [...pip, '--target', site, ...PACKAGES], limit);
  }
  await run(python.command, ['-c', 'import pyarrow.parquet, duckdb, deltalake, duckdb_extension_delta'], {
    ...limit,
    env: python.env,
  });
  await writeFile(READY, JSON.stringify(python));
  return python;
}

/** The environment without what would lead Python elsewhere. */
function clean(): NodeJS.ProcessEnv {
  const { PYTHONPATH: _, PYTHONHOME: __, ...env } = process.env;
  return env;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
