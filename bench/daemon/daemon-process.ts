/** A daemon as a process of its own, and what it takes by the operating system's account of it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../test/support/postgres-server.ts';

/** Of Linux, on every machine that we know. */
const TICKS_PER_SECOND = 100;

export type Usage = { cpuSeconds: number; rssMb: number };

export type DaemonProcess = AsyncDisposable & {
  pid: number;
  usage(): Promise<Usage>;
  /** Ends it by SIGTERM; returns what it logged. Throws when it had ended before. */
  stop(): Promise<string>;
};

/** Starts `tidemark daemon` in the folder with this configuration, and waits until it says that it has started. */
export async function startDaemon(cwd: string, yaml: string, env: Record<string, string> = {}): Promise<DaemonProcess> {
  await writeFile(path.join(cwd, 'tidemark.yaml'), yaml);
  const child = spawn(path.join(ROOT, 'bin/tidemark'), ['daemon'], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  while (!log.includes('daemon started')) {
    if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}:\n${log}`);
    await sleep(50);
  }
  const pid = child.pid!;
  return {
    pid,
    usage: () => usageOf(pid),
    async stop() {
      if (hasEnded(child)) throw new Error(`the daemon had ended:\n${log}`);
      child.kill('SIGTERM');
      await ended;
      return log;
    },
    async [Symbol.asyncDispose]() {
      if (hasEnded(child)) return;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

async function usageOf(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]].map(Number);
  const [, rssKb] = /^VmRSS:\s+(\d+)/m.exec(status)!;
  return { cpuSeconds: (user + system) / TICKS_PER_SECOND, rssMb: Number(rssKb) / 1024 };
}
