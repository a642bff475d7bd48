/**
 * Whose folder is whose. Invariant: a living process's folder is never taken for a dead one's, also where containers share a
 * spool and every one of them has a process 1.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFile, readlink, stat } from 'node:fs/promises';
import { hostname } from 'node:os';

/** How often a living owner sets its folder's time; and how old that may get. */
export const BEAT_MS = 20_000;
const DEAD_MS = 5 * 60_000;

/** The name of a new folder of this process: where it runs, its number there, when it began, and by chance. */
export async function ownerName(): Promise<string> {
  const start = await startOf(process.pid);
  return `${await processSpace()}-${process.pid}-${start}-${randomBytes(4).toString('hex')}`;
}

/**
 * Whether the owner of this folder is gone. Of processes that are seen from here by their number and start, which no two
 * share; of those in another container or on another machine by the time on their folder.
 */
export async function isDead(folder: string, name: string, now: number): Promise<boolean> {
  const [space, pid, start] = name.split('-');
  if (space === (await processSpace())) return !(await isAlive(Number(pid), start));
  const found = await stat(folder).catch(() => null);
  return found === null || now - found.mtimeMs > DEAD_MS;
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const found = await startOf(pid);
  return found === start || found === UNKNOWN;
}

const UNKNOWN = '0';

/** Clock ticks from the machine's start to the process's; `gone` when it has ended, `0` where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return UNKNOWN;
  // The program's name comes before, in parentheses, and may hold some itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Killed, and its parent has not asked how it ended.
  return fields[0] === 'Z' || fields[0] === 'X' ? 'gone' : (fields[19] ?? UNKNOWN);
}

/** Within it a process's number means one process: this boot of this machine, this container. */
async function processSpace(): Promise<string> {
  const container = await readlink('/proc/self/ns/pid').catch(() => hostname());
  return short(`${await bootId()} ${container}`);
}

/** Of this run of the machine's kernel; one for all where the system does not tell. */
export async function bootId(): Promise<string> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown');
  return short(text);
}

/** A name for the text that fits a file name. */
export function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
