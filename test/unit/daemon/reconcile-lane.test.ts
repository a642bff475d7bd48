import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/daemon/agenda.ts';
import { type ExportLaneDeps, exportLane } from '../../../src/daemon/export-lane.ts';
import type { Figures } from '../../../src/daemon/lane.ts';
import { type ReconcileLaneDeps, reconcileLane } from '../../../src/daemon/reconcile-lane.ts';
import { TidemarkError } from '../../../src/model/error.ts';
import type { TableSettings } from '../../../src/model/table.ts';
import type { Reconciled } from '../../../src/reconcile/work.ts';
import type { Held } from '../../../src/state/leases.ts';
import { fakeClock } from './fake-clock.ts';

const never = new AbortController().signal;
const name = { schema: 'public', table: 'invoice' };
const table = { name, folder: 'invoice' } as TableSettings;

const NOTHING: Reconciled = {
  table: name,
  state: 'nothing',
  run: null,
  keys: 10n,
  stagedKeys: 10n,
  deleted: 0n,
  waitingRuns: 0n,
  seconds: 1,
  reason: null,
  error: null,
  sample: [],
  held: null,
};

const heldBy = (holder: string): Reconciled => ({
  ...NOTHING,
  state: 'held',
  held: { state: 'held', holder, expiresAt: '2026-07-01T10:01:00.000000Z' },
});

/** Does one reconciliation that comes to `results`, one after another. */
async function run(results: Reconciled[], some: Partial<ReconcileLaneDeps> = {}, firedAt: number | null = 5) {
  const clock = fakeClock(1_000);
  const told: { outcome: Outcome; figures: Figures }[] = [];
  const at: (string | null)[] = [];
  const wrote: bigint[] = [];
  let times = 0;
  const lane = reconcileLane({
    async reconcile(_, begun) {
      begun();
      return results[Math.min(times++, results.length - 1)];
    },
    table: () => table,
    isExporting: () => false,
    at: (now) => void at.push(now),
    wrote: (_, rows) => void wrote.push(rows),
    holder: 'me pid 1',
    clock,
    doneSince: async () => false,
    ...some,
  });
  const tell = {
    advanced() {},
    ended: (_: string, outcome: Outcome, figures: Figures) => void told.push({ outcome, figures }),
  };
  const running = lane.run([{ kind: 'reconcile', name: 'public.invoice', firedAt, replay: false }], tell, never);
  await clock.runTo(60_000);
  await running;
  return { lane, told, at, wrote, times };
}

test('deleted rows that were written wait for a compaction, and are counted', async () => {
  const done: Reconciled = { ...NOTHING, state: 'committed', run: 7n, deleted: 3n, waitingRuns: 2n };
  const { told, wrote, at } = await run([done]);
  expect(told).toMatchObject([
    {
      outcome: { state: 'done' },
      figures: { run: '7', rows: 3, fields: { keys: 10, staged_keys: 10, waiting_runs: 2 } },
    },
  ]);
  expect(wrote).toEqual([3n]);
  expect(at).toEqual(['public.invoice', null]);
});

test('nothing was deleted, or it cannot be done: nothing waits, and whoever asked is told why', async () => {
  expect(await run([NOTHING])).toMatchObject({ told: [{ outcome: { state: 'nothing' } }], wrote: [] });
  const skipped: Reconciled = { ...NOTHING, state: 'skipped', reason: 'it has no key' };
  expect(await run([skipped])).toMatchObject({
    told: [{ outcome: { state: 'nothing' }, figures: { reason: 'it has no key' } }],
  });
});

test('an error is the table’s, not the daemon’s', async () => {
  const error = new TidemarkError('TABLE_UNKNOWN', 'there is no such table');
  const { told, at } = await run([{ ...NOTHING, state: 'failed', error }]);
  expect(told).toMatchObject([{ outcome: { state: 'failed', error } }]);
  expect(at.at(-1)).toBe(null);
});

test('what another process did since it was due is not done again; what somebody asks for is', async () => {
  const since: number[] = [];
  const doneSince = async (_: string, at: number) => since.push(at) > 0;
  expect(await run([NOTHING], { doneSince })).toMatchObject({ times: 0, told: [{ outcome: { state: 'skipped' } }] });
  expect(since).toEqual([5]);
  expect(await run([NOTHING], { doneSince }, null)).toMatchObject({
    times: 1,
    told: [{ outcome: { state: 'nothing' } }],
  });
});

describe('the lease', () => {
  test('of an export here that has just ended is waited for, with the table kept from exports', async () => {
    const { told, times, at } = await run([heldBy('me pid 1'), heldBy('me pid 1'), NOTHING]);
    expect([times, told.map(({ outcome }) => outcome.state)]).toEqual([3, ['nothing']]);
    expect(at).toEqual(['public.invoice', 'public.invoice', 'public.invoice', null]);
  });

  test('of an export here that goes on: it comes again later, and lets exports go', async () => {
    const { told, at } = await run([heldBy('me pid 1')]);
    expect(told).toMatchObject([{ outcome: { state: 'held' } }]);
    expect(at.at(-1)).toBe(null);
  });

  test('of another process: tried again soon; a paused table now and then', async () => {
    const { told, times } = await run([heldBy('other pid 2')]);
    expect([times, told[0].outcome]).toEqual([1, { state: 'held', until: 1_000 + 10_000 }]);
    const paused: Held = { state: 'held', holder: 'ann', expiresAt: null, pausedSince: '2026-07-01T10:00:00.000000Z' };
    const { told: ofPaused } = await run([{ ...NOTHING, state: 'held', held: paused }]);
    expect(ofPaused[0].outcome).toEqual({ state: 'held', until: 1_000 + 300_000 });
  });

  test('none is begun while an export of the table is under way here', async () => {
    const { lane } = await run([NOTHING], { isExporting: (of) => of === 'public.invoice' });
    const due = (of: string) => ({ kind: 'reconcile', name: of, firedAt: 5, replay: false }) as const;
    expect([lane.takes!(due('public.invoice')), lane.takes!(due('public.other'))]).toEqual([false, true]);
  });

  test('no export of the table is begun while it is reconciled here', () => {
    const some: Partial<ExportLaneDeps> = { isTaken: (of) => of === 'public.invoice' };
    const lane = exportLane(some as ExportLaneDeps);
    const due = (of: string) => ({ kind: 'export', name: of, firedAt: 5, replay: false }) as const;
    expect([lane.takes!(due('public.invoice')), lane.takes!(due('public.other'))]).toEqual([false, true]);
  });
});
