/** State stores for tests, each in a database of its own. */

import { pino } from 'pino';
import type { Mark } from '../../src/model/mark.ts';
import type { Prepared } from '../../src/model/run.ts';
import { rawKey } from '../../src/model/run.ts';
import type { Acquired, Held, Lease } from '../../src/state/leases.ts';
import { openState, type StateOptions } from '../../src/state/open-state.ts';
import type { LeaseKind } from '../../src/state/run-kinds.ts';
import type { Plan } from '../../src/state/runs.ts';
import type { StateStore } from '../../src/state/state-store.ts';

export const silent = pino({ level: 'silent' });
/** A signal that never fires. */
export const never = new AbortController().signal;

export function openAt(url: string, options: Partial<StateOptions> = {}): Promise<StateStore> {
  return openState({ url, schema: 'tidemark', maxConnections: 1, migrate: 'if-needed', ...options }, silent, never);
}

export const wanted = (...folders: string[]) =>
  folders.map((folder) => ({ name: { schema: 'public', table: folder }, folder }));

export const MINUTE = 60_000;

/** The lease on one table; fails when it is held. */
export async function take(
  store: StateStore,
  folder: string,
  holder = 'one',
  ttlMs = MINUTE,
  kind: LeaseKind = 'export',
): Promise<Acquired> {
  const [got] = await store.acquire(kind, wanted(folder), holder, ttlMs, never);
  if (got.state !== 'acquired') throw new Error(`${folder} is held by ${got.holder}`);
  return got;
}

export function isHeld(got: Acquired | Held): got is Held {
  return got.state === 'held';
}

export const PLAN = { loadDate: '2026-07-01', snapshotAt: 1_782_900_000_123_456n, full: false };

export const MARK: Mark = {
  xmin: 9_007_199_254_740_993n,
  seen: [
    { from: 9_007_199_254_740_995n, to: 9_007_199_254_740_996n },
    { from: 9_007_199_254_741_000n, to: 9_007_199_254_742_000n },
  ],
  floor: 1_782_899_990_000_001n,
  watermark: '2026-07-01 09:59:59.999999+00',
  at: 1_782_900_000_123_456n,
  prepared: [{ id: 9_007_199_254_740_994n, floor: null }],
  leaves: [{ oid: 16_384, filenode: 16_390 }],
  history: { system: '7571000000000000001', timeline: 1, lsn: 9_007_199_254_740_995n, xmax: 9_007_199_254_740_996n },
  doubt: null,
  trail: [],
};

/** What a run of `rows` rows in two files leaves. */
export function prepared(prefix: string, token: bigint, rows = 3n): Prepared {
  const files = [0, 1].map((part) => ({
    key: rawKey(prefix, part),
    part,
    bytes: 100 + part,
    rows: part === 0 ? Number(rows) - 1 : 1,
    upload: { id: `upload-${token}-${part}`, parts: [{ number: 1, etag: `"e${part}"`, bytes: 100 + part }] },
    bounds: { invoice_id: { min: '1', max: '9007199254740993' } },
  }));
  return {
    files,
    mark: MARK,
    rows,
    lateRows: 1n,
    unfit: { total: { null: 2 } },
    columns: [{ source: 'Total', name: 'total', type: { kind: 'decimal', precision: 18, scale: 4 } }],
  };
}

/** A planned and prepared run. */
export async function prepare(store: StateStore, lease: Lease, plan: Partial<Plan> = {}): Promise<bigint> {
  const { run, prefix } = await store.plan(lease, { ...PLAN, ...plan }, never);
  await store.prepare(lease, run, prepared(prefix, lease.token), never);
  return run;
}
