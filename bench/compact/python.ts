/** The peers' scripts (peers/*.py), and the virtual environment that they run in. */

import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../test/support/postgres-server.ts';

const run = promisify(execFile);
const VENV = path.join(ROOT, '.cache/bench-compact-python');
const PACKAGES = ['deltalake==1.6.6', 'pyarrow==26.0.1', 'duckdb==1.5.5'];
const PYTHON = path.join(VENV, 'bin/python');

/** Made once, from PyPI. */
export async function preparePython(): Promise<void> {
  const complete = path.join(VENV, PACKAGES.join('+'));
  if (await stat(complete).catch(() => null)) return;
  await run('python3', ['-m', 'venv', '--clear', VENV]);
  await run(PYTHON, ['-m', 'pip', 'install', '-q', ...PACKAGES]);
  await run('touch', [complete]);
}

export function pythonCommand(script: string, ...args: string[]): string[] {
  return [PYTHON, path.join(import.meta.dirname, 'peers', `${script}.py`), ...args];
}

/** What it printed. */
export async function python(script: string, ...args: string[]): Promise<string> {
  const [command, ...rest] = pythonCommand(script, ...args);
  return (await run(command, rest, { maxBuffer: 1 << 26 })).stdout;
}

export type Look = { files: number; bytes: number; rows: number; digest: string[] };

/** A Delta table, or a folder of Parquet files, as delta-rs or DuckDB read it. */
export async function look(table: string): Promise<Look> {
  return JSON.parse(await python('look', table, 'l_id')) as Look;
}
