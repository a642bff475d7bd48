/** Every migration of the state store, in order. Invariant: a released one never changes; the next one is added below. */

import type { Kysely } from 'kysely';
import { up as stateStore } from '../../migrations/0001-state-store.ts';
import { up as stagedTable } from '../../migrations/0002-staged-table.ts';
import { up as chunks } from '../../migrations/0003-chunks.ts';
import { up as pause } from '../../migrations/0004-pause.ts';
import { up as sourceSlots } from '../../migrations/0005-source-slots.ts';
import { up as daemon } from '../../migrations/0006-daemon.ts';
import { up as archivedRuns } from '../../migrations/0007-archived-runs.ts';
import { up as reconciled } from '../../migrations/0008-reconciled.ts';

export type Migration = { version: number; name: string; up: (db: Kysely<never>, schema: string) => Promise<void> };

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: '0001-state-store', up: stateStore },
  { version: 2, name: '0002-staged-table', up: stagedTable },
  { version: 3, name: '0003-chunks', up: chunks },
  { version: 4, name: '0004-pause', up: pause },
  { version: 5, name: '0005-source-slots', up: sourceSlots },
  { version: 6, name: '0006-daemon', up: daemon },
  { version: 7, name: '0007-archived-runs', up: archivedRuns },
  { version: 8, name: '0008-reconciled', up: reconciled },
];

/** The version that this program works with. */
export const VERSION = MIGRATIONS.at(-1)!.version;
