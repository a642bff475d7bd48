/** The keys of `schedule:`, of the file, of a table, and of a load. */

import { count, duration, keys, schedule, timezone } from './fields.ts';

const after = keys({
  rows: count(1, 1_000_000_000_000).optional().describe('So many rows were exported and are not compacted.'),
  time: duration().optional().describe('The oldest of them is so old; 0s: right after each export that brings rows.'),
});

const ofTables = {
  export: schedule().optional().describe('Of exports; default: */5 * * * *.'),
  compact: schedule().optional().describe('Of compactions; default: */15 * * * *.'),
  compact_after: after
    .optional()
    .describe('When a compaction follows an export without waiting; default: rows: 100000.'),
  vacuum: schedule().optional().describe('Of vacuums; default: 0 4 * * 0.'),
  reconcile: schedule().optional().describe('Of reconciliations, which find deleted rows; default: off.'),
};

export const schedules = keys({
  timezone: timezone().optional().describe('Of the expressions; default: UTC.'),
  ...ofTables,
  load: schedule().optional().describe('Of loads; default: * * * * *.'),
});

export const tableSchedules = keys(ofTables);
