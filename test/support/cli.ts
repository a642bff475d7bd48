/** Runs the command: as a real process, or within this one where a process has nothing to add. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Writable } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';
import { ROOT } from './postgres-server.ts';

export type Ended = { code: number | null; stdout: string; stderr: string };

type Options = { cwd: string; env?: Record<string, string> };

export function startCli(
  args: string[],
  { cwd, env }: Options,
): {
  /** Of the command itself: bin/tidemark becomes it. */
  pid: number;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<Ended>;
  /** Resolves once the text was written to stderr. */
  stderrHas(text: string): Promise<void>;
  /** What was written so far. */
  stderr(): string;
} {
  // Nothing of the machine's PG* or AWS_*: they would decide tests.
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(path.join(ROOT, 'bin/tidemark'), args, { cwd, env: { PATH, HOME, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const stderrHas = async (text: string) => {
    while (!stderr.includes(text)) await once(child.stderr, 'data');
  };
  return { pid: child.pid!, kill: (signal) => void child.kill(signal), ended, stderrHas, stderr: () => stderr };
}

export function runCli(args: string[], options: Options): Promise<Ended> {
  return startCli(args, options).ended;
}

/** The same command line without a process: half a second less. */
export async function runHere(args: string[], { cwd, env = {} }: Options): Promise<Ended> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const signal = new AbortController().signal;
  const code = await runProgram(args, { stdout, stderr, cwd, env, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
