/** `tidemark export` again and again, as a schedule would, and what can happen to a process. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Ended, startCli } from './cli.ts';
import type { TestDatabase } from './postgres.ts';
import { seeded } from './torture-writers.ts';

/** `chunked`: full runs begun in chunks; `goneOn`, `begunAnew`: of those, by the process after. */
export type Counts = Record<
  'ended' | 'killed' | 'stoodStill' | 'held' | 'full' | 'tables' | 'chunked' | 'goneOn' | 'begunAnew',
  number
>;

type Result = { table: string; state: string; error?: { code: string } };

/**
 * One exporting process after another while `goOn` is told what came of them so far; throws on an outcome that nothing here explains. Some are killed, and
 * their leases end at once; some stand still until another process may have taken their tables, and wake up again.
 */
export async function exportsWhile(
  goOn: (counts: Counts) => boolean,
  cwd: string,
  db: TestDatabase,
  seed: number,
): Promise<Counts> {
  const random = seeded(seed);
  const counts: Counts = {
    ended: 0,
    killed: 0,
    stoodStill: 0,
    held: 0,
    full: 0,
    tables: 0,
    chunked: 0,
    goneOn: 0,
    begunAnew: 0,
  };
  let usual = 1_500;
  while (goOn(counts)) {
    const began = Date.now();
    const args = argsOf(random);
    if (args.includes('--full')) counts.full++;
    const running = startCli([...args, '--json'], { cwd, env: { DATABASE_URL: db.url } });
    const fate = random();
    // Half of it is the start of the process, in which there is nothing to break.
    const moment = usual * (0.4 + random() * 0.6);
    let stoodStill = false;
    const accident = async () => {
      if (fate < 0.35) running.kill('SIGKILL');
      else if (fate < 0.42) {
        running.kill('SIGSTOP');
        stoodStill = true;
        await endLeases(db, running.pid);
        await sleep(1_500);
        running.kill('SIGCONT');
      }
    };
    const timer = setTimeout(() => void accident(), moment);
    // A run in chunks is a moment among others: to hit it one must wait for it.
    if (fate > 0.6) {
      const within = random() * 500;
      void running
        .stderrHas('is exported in chunks')
        .then(() => sleep(within))
        .then(() => running.kill('SIGKILL'));
    }
    const ended = await running.ended;
    clearTimeout(timer);
    counts.chunked += ended.stderr.split('is exported in chunks').length - 1;
    counts.begunAnew += ended.stderr.split('in chunks is removed').length - 1;
    counts.goneOn += ended.stderr.split('in chunks goes on').length - 1;
    if (ended.code === null) {
      counts.killed++;
      await endLeases(db, running.pid);
    } else {
      const results = explained(ended, args, stoodStill);
      counts.ended++;
      if (stoodStill) counts.stoodStill++;
      else usual = Date.now() - began;
      counts.held += results.filter(({ state }) => state === 'held').length;
      counts.tables += results.filter(({ state }) => state === 'committed').length;
    }
    await sleep(random() * 200);
  }
  return counts;
}

function argsOf(random: () => number): string[] {
  const chance = random();
  if (chance < 0.2) return ['export', '--full', '--table', 'large'];
  if (chance < 0.25) return ['export', '--full', '--table', 'parted,zoned'];
  if (chance < 0.4) return ['export', '--table', 'large,bare,day'];
  return ['export', '--all'];
}

/** As if the time of a process's leases, and of its connections, were over. */
async function endLeases(db: TestDatabase, pid: number): Promise<void> {
  await db
    // The rows may be locked, by that very process in the middle of a transaction.
    .query(
      `set lock_timeout = '500ms';
       update tidemark.source_slot set expires_at = clock_timestamp() where holder like '% pid ${pid}';
       update tidemark.lease set expires_at = clock_timestamp() where holder like '% pid ${pid}'`,
    )
    // Or there is no state store yet.
    .catch(() => {});
}

/**
 * 0, or 4 where the other process has the tables; for one that stood still LEASE_LOST, or LAKE_FAILED where the new holder of the lease has
 * removed its open upload by then.
 */
function explained(ended: Ended, args: string[], stoodStill: boolean): Result[] {
  const { tables = [] } = (ended.stdout ? JSON.parse(ended.stdout) : {}) as { tables?: Result[] };
  const failed = tables.filter(({ state }) => state === 'failed');
  const known = failed.every(({ error }) => stoodStill && ['LEASE_LOST', 'LAKE_FAILED'].includes(error?.code ?? ''));
  const code = failed.length > 0 ? 1 : tables.every(({ state }) => state === 'held') ? 4 : 0;
  if (!known || tables.length === 0 || (ended.code !== code && ended.code !== 0)) {
    throw new Error(`${args.join(' ')} ended with ${ended.code}:\n${ended.stdout}\n${ended.stderr}`);
  }
  return tables;
}
