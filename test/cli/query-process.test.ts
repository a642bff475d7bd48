/** `tidemark query` as a process: what it reads from stdin, and how it writes to others. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runCli } from '../support/cli.ts';
import { ROOT } from '../support/postgres-server.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-query-'));
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    "source: { url: 'postgres://nobody@127.0.0.1:1/none' }\nlake: file:./lake\nspool: { path: ./spool, limit: 1GB }\n",
  );
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

const MILLION = "SELECT i, i::DECIMAL(15, 2) AS price, 'name ' || i AS name, now() AS at FROM range(1000000) r(i)";

/** What a shell does with a line that has `tidemark` in it. */
async function shell(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const { PATH = '', HOME = '' } = process.env;
  const command = line.replaceAll('tidemark', path.join(ROOT, 'bin/tidemark'));
  const child = spawn('bash', ['-c', `set -o pipefail; ${command}`], { cwd, env: { PATH, HOME } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

test('the statement comes from stdin', async () => {
  expect(await shell(`printf "SELECT 'it''s' AS a\\n-- done\\n" | tidemark query - --format csv`)).toEqual({
    code: 0,
    stdout: "a\nit's\n",
    stderr: '',
  });
  expect(await shell('tidemark query - < /dev/null')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^USAGE/),
  });
});

test('a reader that has seen enough is no error, in any format', async () => {
  for (const format of ['csv', 'json', 'parquet']) {
    const { code, stderr } = await shell(`tidemark query "${MILLION}" --format ${format} | head -c 20 >/dev/null`);
    expect({ format, code, stderr }).toEqual({ format, code: 0, stderr: '' });
  }
});

test('a million rows are all there', async () => {
  const { code, stdout } = await shell(
    `tidemark query "${MILLION}" --format csv | tail -n +2 | awk -F, '{ n++; s += $1 } END { printf "%d %.0f\\n", n, s }'`,
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: '1000000 499999500000\n' });
});

test('SIGINT ends a statement that would run for long, and nothing stays in the spool', async () => {
  const child = spawn(
    path.join(ROOT, 'bin/tidemark'),
    ['query', 'SELECT count(*) FROM range(1e12::BIGINT) r(i), range(1000) WHERE i % 7 = hash(i) % 5'],
    {
      cwd,
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
    },
  );
  const own = () => readdir(path.join(cwd, 'spool/own'));
  await vi.waitFor(async () => expect(await own()).toHaveLength(1), { timeout: 60_000, interval: 10 });
  // The statement begins a moment later.
  setTimeout(() => child.kill('SIGINT'), 1_000);
  const [code] = await once(child, 'close');
  expect(code).toBe(130);
  expect(await own()).toEqual([]);
});

test('without memory for a statement: an error that names the key', async () => {
  await writeFile(
    path.join(cwd, 'small.yaml'),
    "source: { url: 'postgres://nobody@127.0.0.1:1/none' }\nlake: file:./lake\nspool: { path: ./spool, limit: 64MB }\nmemory: 64MB\n",
  );
  const sql = 'SELECT list(i || repeat(i::VARCHAR, 10)) FROM range(10000000) r(i)';
  const ended = await runCli(['query', sql, '--config', 'small.yaml'], { cwd });
  expect(ended).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^(MEMORY_FULL|SPOOL_FULL): .*\nhint: .*(memory|spool\.limit)/),
  });
});
