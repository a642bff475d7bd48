/** Runs the real command line, as a user would. */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { command, show } from './screen.ts';
import type { Stage } from './stage.ts';

/** The checkout. */
export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Prints the command and what it says, which it returns. Throws when it fails or is stopped, in either case once its process is gone. */
export async function tidemark({ folder, url }: Stage, args: string[], signal: AbortSignal): Promise<string> {
  command(['tidemark', ...args.map((arg) => (/\s/.test(arg) ? `"${arg}"` : arg))].join(' '));
  const child = spawn(path.join(ROOT, 'bin', 'tidemark'), args, {
    cwd: folder,
    // TMPDIR: the spool goes with the stage.
    env: { ...process.env, DATABASE_URL: url, TMPDIR: folder },
    // Progress is drawn on a terminal; elsewhere stderr carries log lines, of interest only when something fails.
    stdio: ['ignore', 'pipe', process.stderr.isTTY ? 'inherit' : 'pipe'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  show(...text.trimEnd().split('\n'));
  if (code !== 0) throw new Error(`tidemark ${args.join(' ')} ended with ${code}\n${log}`);
  return text;
}
