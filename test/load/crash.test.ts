/** A load that is killed at any of its steps: the next ones make it whole, and nothing is loaded twice. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/postgres-server.ts';
import { loadScene } from './support/load-scene.ts';

const DROPS = 700;
const LINES = 4;

async function killedAt(cwd: string, step: string, nth: number): Promise<NodeJS.Signals | null> {
  const script = path.join(ROOT, 'test/load/child/run-load.ts');
  const child = spawn(process.execPath, [script, cwd, step, String(nth)], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [, signal] = await once(child, 'close');
  return signal;
}

test.each([
  ['locked', 1],
  ['inserted', 2],
  ['finished', 1],
  ['committed', 1],
])('killed at "%s" (%i)', async (step, nth) => {
  const scene = await loadScene();
  for (let drop = 0; drop < DROPS; drop++) {
    const id = drop * LINES;
    await scene.drop(`${drop}.jsonl.gz`, [{ id }, { id: id + 1 }, '{', { id: id + 2, amount: 5000 }]);
  }
  expect(await killedAt(scene.cwd, step, nth)).toBe('SIGKILL');

  // What is there is whole drops, each with its line of the ledger.
  const { query } = scene.database;
  const [between] = await query(`select (select count(*)::int from events) as rows,
    (select coalesce(sum(rows_out), 0)::int from tidemark.load_drop where state = 'loaded') as ledger`);
  expect(between.rows).toBe(between.ledger);

  // Its claims are its own until it is taken for dead.
  const first = (await scene.loadJson()).loads[0];
  await query("update tidemark.load_worker set expires_at = clock_timestamp() - interval '1 second'");
  const second = (await scene.loadJson()).loads[0];
  expect((between.rows as number) / 2 + first.drops + second.drops).toBe(DROPS);
  expect(second.rows_known + first.rows_known).toBe(0);
  const [after] = await query(`select (select count(*)::int from events) as rows,
    (select count(*)::int from tidemark.load_reject) as rejects, sum(rows_out)::int as out, sum(rows_rejected)::int as rejected,
    count(*) filter (where state = 'loaded')::int as drops from tidemark.load_drop`);
  expect(after).toEqual({ rows: DROPS * 2, rejects: DROPS * 2, out: DROPS * 2, rejected: DROPS * 2, drops: DROPS });
});
