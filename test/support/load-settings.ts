/** Settings of loads for tests: a load of no columns into public.events, to be filled in. */

import type { LoadColumn, LoadSettings } from '../../src/load/settings.ts';

export const column = (name: string, type: string, more: Partial<LoadColumn> = {}): LoadColumn => ({
  name,
  type,
  path: [name],
  required: false,
  default: undefined,
  ...more,
});

export function loadSettings(more: Partial<LoadSettings>): LoadSettings {
  return {
    name: 'events',
    from: 'file:./drops/**',
    baseDir: '/',
    s3: {} as LoadSettings['s3'],
    windowMs: null,
    afterMs: null,
    budget: { slower: 4, lagMs: 30_000, lockWaits: 5 },
    timezone: 'UTC',
    into: { schema: 'public', table: 'events' },
    target: {} as LoadSettings['target'],
    key: [],
    columns: [],
    keep: [],
    transform: null,
    onConflict: 'nothing',
    format: null,
    limits: { lineBytes: 16_000_000, inflatedBytes: 1_000_000_000, ratio: 200 },
    rejectLimit: null,
    connections: 8,
    ledgerSchema: 'tidemark',
    ...more,
  };
}
