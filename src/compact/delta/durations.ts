/** How long a table keeps things, by its configuration: `interval 30 days`. Pure. */

import type { Metadata } from './actions.ts';

const UNITS: Record<string, number> = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};

const DAY_MS = UNITS.day;

/** How long versions are kept: `delta.logRetentionDuration`, or 30 days; milliseconds. */
export function logRetentionMs(metadata: Metadata): number {
  return durationSetting(metadata, 'delta.logRetentionDuration') ?? 30 * DAY_MS;
}

/** How long checkpoints remember what was removed: `delta.deletedFileRetentionDuration`, or 7 days; milliseconds. */
export function tombstoneMs(metadata: Metadata): number {
  return durationSetting(metadata, 'delta.deletedFileRetentionDuration') ?? 7 * DAY_MS;
}

/** Milliseconds; null when it is not set, or as nobody can read it. */
function durationSetting(metadata: Metadata, key: string): number | null {
  const text = metadata.configuration[key]
    ?.trim()
    .toLowerCase()
    .replace(/^interval\s+/, '');
  if (!text) return null;
  const words = text.split(/\s+/);
  let total = 0;
  for (let n = 0; n < words.length; n += 2) {
    const unit = UNITS[(words[n + 1] ?? '').replace(/s$/, '')];
    if (!/^\d+$/.test(words[n]) || unit === undefined) return null;
    total += Number(words[n]) * unit;
  }
  return total;
}
