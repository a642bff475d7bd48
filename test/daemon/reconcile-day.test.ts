/** A day of the schedule, in a time that the test gives: a reconciliation at three at night, once a night. */

import { expect, test, vi } from 'vitest';
import type { CommandContext } from '../../src/cli/context.ts';
import { runDaemon } from '../../src/cli/daemon.ts';
import { createLog } from '../../src/cli/log.ts';
import { Board, type WorkKind } from '../../src/daemon/board.ts';
import { fakeClock } from '../unit/daemon/fake-clock.ts';
import { daemonScene, PATIENCE } from './scene.ts';

const NAME = 'public.invoice';
/** Ahead of the databases' clocks: what they note is never later than what is due. */
const night = (day: number, hour: number, minute: number) => Date.UTC(2100, 0, day, hour, minute);

test('what is deleted leaves at night; what was done is not done again until the next night', async () => {
  await using scene = await daemonScene();
  await scene.table('invoice', 10);
  const often = { export: '@every 6h', compact: 'off', compact_after: { time: '0s' }, vacuum: 'off' };
  await scene.configure({ schedule: { ...often, reconcile: '0 3 * * *' } });
  const clock = fakeClock(night(1, 0, 30));
  const board = new Board(clock.now());
  const stop = new AbortController();
  const log = await createLog(() => {}, { level: 'silent', pretty: false, colors: false, secrets: [] });
  const context = { cwd: scene.cwd, env: { DATABASE_URL: scene.db.url }, log, secrets: [], signal: stop.signal };
  const daemon = runDaemon({ page: false }, context as unknown as CommandContext, clock, board);
  const next = (kind: WorkKind) => board.work({ kind, name: NAME })?.nextAt ?? 0;
  const ended = (kind: WorkKind) => board.ended().filter((each) => each.kind === kind && each.outcome === 'done');
  /** Waits while seconds go by: some work is put off by one. At most 20 minutes, whatever the machine's speed. */
  const passing = (check: () => void) =>
    vi.waitFor(async () => {
      await clock.runTo(clock.now() + 1_000);
      check();
    }, PATIENCE);
  /** Nothing is under way, and what comes next lies ahead. */
  const settled = () =>
    passing(() => {
      expect(board.works().filter(({ running }) => running !== null)).toEqual([]);
      expect(next('export')).toBeGreaterThan(clock.now());
      expect(next('reconcile')).toBeGreaterThan(clock.now());
      expect(clock.sleepers()).toBeGreaterThanOrEqual(2);
    });
  const goTo = async (at: number) => {
    await clock.runTo(at);
    await settled();
  };
  const noted = async () => {
    const rows = await scene.db.query<{ at: string }>(
      `select ended_at::text as at from tidemark.daemon_work where kind = 'reconcile' and name = $1`,
      [NAME],
    );
    return rows[0]?.at ?? null;
  };
  try {
    await passing(() => expect(ended('compact')).toHaveLength(1));
    await scene.db.query('delete from invoice where id = 4');
    await goTo(night(1, 2, 30));
    expect([ended('reconcile'), await noted()]).toEqual([[], null]);

    await goTo(night(1, 3, 1));
    await passing(() => expect(ended('compact')).toHaveLength(2));
    expect(ended('reconcile')).toMatchObject([{ rows: 1, run: expect.any(String) }]);
    expect(ended('compact')[0]).toMatchObject({ rows: 1 });
    const first = await noted();
    expect(first).not.toBe(null);

    // A day with its exports; the night after it finds nothing.
    for (const hour of [7, 13, 19, 25]) await goTo(night(1, hour, 0));
    await goTo(night(2, 2, 30));
    expect(await noted()).toBe(first);
    expect(next('reconcile')).toBeGreaterThanOrEqual(night(2, 3, 0));
    expect(next('reconcile')).toBeLessThan(night(2, 3, 1));
    await goTo(night(2, 3, 1));
    expect(await noted()).not.toBe(first);
    expect(ended('reconcile')).toHaveLength(1);
  } finally {
    stop.abort(new DOMException('stopped', 'AbortError'));
    await daemon.catch(() => {});
  }
});
