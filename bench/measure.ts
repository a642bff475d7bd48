/** Runs one command as a whole process and says what it took, by the operating system's own account of it. */

import { spawn } from 'node:child_process';

export type Measured = { wall: number; cpu: number; rssMb: number };

/** wait4 gives one child's CPU time and peak memory; Node cannot ask for it. */
const WRAPPER = `
import json, os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
sys.stderr.write("\\n" + json.dumps([time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]))
`;

/** Standard output is thrown away. Throws when the command fails. Seconds, CPU seconds, MB (2^20) of resident memory. */
export async function measure(
  command: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Measured> {
  const child = spawn('python3', ['-c', WRAPPER, ...command], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [wall, cpu, rssMb, exit] = JSON.parse(errors.slice(errors.lastIndexOf('\n') + 1)) as number[];
  if (exit !== 0) throw new Error(`${command.join(' ')} ended with ${exit}:\n${errors}`);
  return { wall, cpu, rssMb };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
