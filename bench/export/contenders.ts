/** How a whole table is taken out by tidemark and by those it is held against; each a command of its own, made ready once. */

import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../test/support/postgres-server.ts';

export type Contender = {
  name: string;
  command: string[];
  cwd?: string /** Before each run. */;
  reset(): Promise<void> /** Bytes written by the last run. */;
  bytes(): Promise<number>;
};

const run = promisify(execFile);
const TIDEMARK = path.join(ROOT, 'bin/tidemark');

/** A folder with a tidemark.yaml for that database; `lake/` is in it. */
export async function tidemarkFolder(root: string, name: string, url: string, more = ''): Promise<string> {
  const folder = path.join(root, name);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'tidemark.yaml'), `source:\n  url: ${url}\nlake: file:./lake\n${more}`);
  return folder;
}

export async function tidemark(
  root: string,
  url: string,
  table: string,
  args: string[] = ['--full'],
): Promise<Contender> {
  const cwd = await tidemarkFolder(
    root,
    `tidemark-${table}`,
    url,
    `tables:\n  - table: ${table}\nstate:\n  schema: tidemark_${table}\n`,
  );
  await run(TIDEMARK, ['migrate'], { cwd });
  const lake = path.join(cwd, 'lake');
  return {
    name: 'tidemark',
    command: [TIDEMARK, 'export', '--table', table, ...args],
    cwd,
    reset: () => rm(path.join(lake, 'raw'), { recursive: true, force: true }),
    bytes: () => bytesBelow(lake),
  };
}

export function psql(url: string, table: string, format: 'csv' | 'binary'): Contender {
  const options = format === 'csv' ? 'csv' : '(format binary)';
  return {
    name: `psql copy ${format}, thrown away`,
    command: ['psql', url, '-X', '-q', '-c', `copy ${table} to stdout ${options}`],
    reset: async () => {},
    bytes: async () => 0,
  };
}

/** DuckDB's Postgres extension from PyPI, in a virtual environment of the benchmark's own. */
export async function duckdb(root: string, url: string, table: string): Promise<Contender> {
  const venv = path.join(ROOT, '.cache/bench-python');
  const python = path.join(venv, 'bin/python');
  if (!(await stat(python).catch(() => null))) {
    await run('python3', ['-m', 'venv', venv]);
    await run(python, ['-m', 'pip', 'install', '-q', 'duckdb==1.5.5', 'duckdb-extension-postgres-scanner==1.5.5']);
  }
  const out = path.join(root, `duckdb-${table}.parquet`);
  const script = `
import duckdb, glob, sys
con = duckdb.connect()
con.execute("LOAD '%s'" % glob.glob(sys.prefix + "/lib/python3*/site-packages/duckdb_extension_postgres_scanner/extensions/*/postgres_scanner.duckdb_extension")[0])
con.execute("ATTACH '${url}' AS pg (TYPE postgres, READ_ONLY)")
con.execute("COPY pg.public.${table} TO '${out}' (FORMAT parquet, COMPRESSION zstd)")
`;
  return {
    name: 'DuckDB 1.5.5 postgres extension',
    command: [python, '-c', script],
    reset: () => rm(out, { force: true }),
    bytes: async () => (await stat(out)).size,
  };
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(entries.filter((e) => e.isFile()).map((e) => stat(path.join(e.parentPath, e.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}
