/** Pythons with packages for tests. Invariant: each is installed once in .cache/python, whatever number of test workers ask for it. */

import { execFile, spawn } from 'node:child_process';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const INSTALL_LIMIT_MS = 300_000;
const SCRIPT_LIMIT_MS = 120_000;

/** What print() writes alone: DuckDB draws a progress bar there once a statement takes two seconds. */
const STDOUT_FOR_JSON = `import os, sys
sys.stdout = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)`;

/** How to start it: a venv's own interpreter, or the machine's with a folder of packages. */
type Python = { command: string; env: NodeJS.ProcessEnv };

/** A Python with `packages` (as pip names them, with versions). `check` is a script that fails where something is missing. */
export class TestPython {
  readonly #packages: string[];
  readonly #check: string;
  /** Its own folder, which stays from run to run. */
  readonly home: string;
  #found: Promise<Python | null> | undefined;

  constructor(packages: string[], check: string) {
    this.#packages = packages;
    this.#check = check;
    this.home = join(import.meta.dirname, '../../.cache/python', packages.join('_').replaceAll('==', '-'));
  }

  /**
   * Whether `run` works here; at first use it installs what is missing. When it cannot be had, says so and returns false for
   * `test.skipIf(!await python.available())`; throws instead under TIDEMARK_NO_SKIP, so that CI cannot skip in silence.
   */
  async available(): Promise<boolean> {
    this.#found ??= this.#prepare().catch((error: unknown) => {
      const reason = `no Python with ${this.#packages.join(' and ')}: ${String(error).slice(0, 500)}`;
      if (process.env.TIDEMARK_NO_SKIP) throw new Error(reason, { cause: error });
      console.warn(`skipped: ${reason}`);
      return null;
    });
    return (await this.#found) !== null;
  }

  /** Runs a script whose `argument` is what json.load(sys.stdin) gives, and returns what it prints as JSON. Throws with its stderr. */
  async run(script: string, argument: unknown, limitMs = SCRIPT_LIMIT_MS): Promise<unknown> {
    if (!(await this.available())) throw new Error('ask whether it is available before a script is run');
    const { command, env } = (await this.#found)!;
    const child = spawn(command, ['-c', `${STDOUT_FOR_JSON}\n${script}`], { env, timeout: limitMs });
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

  async #prepare(): Promise<Python> {
    const lock = `${this.home}.lock`;
    await mkdir(join(this.home, '..'), { recursive: true });
    for (const deadline = Date.now() + INSTALL_LIMIT_MS; Date.now() < deadline; await sleep(200)) {
      const ready = join(this.home, 'ready');
      if (await exists(ready)) return JSON.parse(await readFile(ready, 'utf8')) as Python;
      if (await take(lock)) {
        try {
          return await this.#install();
        } finally {
          await rm(lock, { force: true });
        }
      }
    }
    throw new Error(`another process has held ${lock} for ${INSTALL_LIMIT_MS / 1000} s`);
  }

  async #install(): Promise<Python> {
    await rm(this.home, { recursive: true, force: true });
    const limit = { timeout: INSTALL_LIMIT_MS, maxBuffer: 1 << 24 };
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    let python: Python = { command: join(this.home, 'venv/bin/python'), env: clean() };
    try {
      await run('python3', ['-m', 'venv', join(this.home, 'venv')], limit);
      await run(python.command, [...pip, ...this.#packages], { ...limit, env: python.env });
    } catch {
      // Debian's python3 may come without ensurepip, so without venvs: a folder of packages does as well.
      const site = join(this.home, 'site');
      python = { command: 'python3', env: { ...clean(), PYTHONPATH: site } };
      await run('python3', [...pip, '--target', site, ...this.#packages], limit);
    }
    await run(python.command, ['-c', this.#check], { ...limit, env: python.env });
    await writeFile(join(this.home, 'ready'), JSON.stringify(python));
    return python;
  }
}

const readers = new TestPython(
  // DuckDB's extension as a package: INSTALL would fetch it from elsewhere.
  ['pyarrow==22.0.0', 'duckdb==1.5.5', 'deltalake==1.6.6', 'duckdb-extension-delta==1.5.5'],
  'import pyarrow.parquet, duckdb, deltalake, duckdb_extension_delta',
);

/** Whether `runPython` works here, a Python with pyarrow, DuckDB, its delta extension and delta-rs. As TestPython.available(). */
export async function pythonAvailable(): Promise<boolean> {
  return readers.available();
}

/** As TestPython.run(). */
export async function runPython(script: string, argument: unknown): Promise<unknown> {
  return readers.run(script, argument);
}

/** The file names its process: the lock of one that was killed is nobody's. */
async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (holder > 0 && !alive(holder)) await rm(lock, { force: true });
    return false;
  }
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
