/** The demo as a process of its own, in a temporary folder of its own, so that whatever it leaves behind is seen. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ROOT } from '../support/postgres-server.ts';

export type DemoProcess = AsyncDisposable & {
  tmp: string;
  /** Resolves with all that was said so far, once it holds the text. Rejects when the process ends before. */
  said(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  ended(): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Processes and files that name its temporary folder. */
  leftBehind(): Promise<string[]>;
};

export async function startDemo(...args: string[]): Promise<DemoProcess> {
  const tmp = await mkdtemp(path.join(os.tmpdir(), 'tidemark-demo-test-'));
  // As root the demo's server is another user's.
  await chmod(tmp, 0o755);
  const child: ChildProcess = spawn(process.execPath, [path.join(ROOT, 'demo', 'main.ts'), ...args], {
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr!.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  const closed = once(child, 'close');
  return {
    tmp,
    async said(text) {
      while (!stdout.includes(text)) {
        const ended = closed.then(() => {
          if (!stdout.includes(text)) throw new Error(`the demo ended without "${text}":\n${stdout}\n${stderr}`);
        });
        await Promise.race([once(child.stdout!, 'data'), ended]);
      }
      return stdout;
    },
    signal: (name) => void child.kill(name),
    async ended() {
      await closed;
      return { code: child.exitCode, stdout, stderr };
    },
    leftBehind: async () => [...(await processesNaming(tmp)), ...(await readdir(tmp))],
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
      await rm(tmp, { recursive: true, force: true });
    },
  };
}

/** Command lines of the processes that were started with the text. */
async function processesNaming(text: string): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text));
}
