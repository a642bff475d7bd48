/** The keys of an entry of `loads:`. */

import { z } from 'zod';
import { auth, count, duration, flag, keys, oneOrMore, percentage, schedule, size, text, timezone } from './fields.ts';
import { s3 } from './schema-lake.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'must be a text, a number, true or false' });
const scalars = oneOrMore(scalar, 'must be a value or a list of values');
const comparison = keys({
  gt: scalar.optional().describe('Greater than.'),
  gte: scalar.optional().describe('Greater or equal.'),
  lt: scalar.optional().describe('Less than.'),
  lte: scalar.optional().describe('Less or equal.'),
  not: scalars.optional().describe('None of these values.'),
});

const column = keys({
  type: text().describe('The Postgres type.'),
  from: text().optional().describe('Where it stands in the event when the name differs: $.path'),
  required: flag().optional().describe('true: a row without it is a reject.'),
  default: z.union([scalar, z.null()]).optional().describe('The value where the event has none.'),
});

export const loadEntry = keys({
  load: text().describe('Its name.'),
  from: text().describe('Where the drops lie: s3://bucket/{yyyy}-{mm}-{dd}/*.json.gz or file:./drops/**'),
  window: duration('1s').optional().describe('How far back the days of a {yyyy}-{mm}-{dd} pattern go; default: 1d.'),
  after: duration('1s')
    .optional()
    .describe(
      'For keys that grow with time: list only what sorts after the drops that were done so long ago; default: list all.',
    ),
  timezone: timezone().optional().describe('Whose days the pattern means; default: UTC.'),
  s3: s3.optional().describe("Where the drops' S3 differs from the lake's."),
  into: text().describe('The table that they are loaded into.'),
  target: text().describe('The URL of its database.'),
  auth: auth().optional().describe('How to log in there; default: password (URL, PGPASSWORD, ~/.pgpass).'),
  key: oneOrMore(text(), 'must be a list of columns').describe('The columns that tell rows apart.'),
  columns: z.record(z.string(), column).describe('The columns that are loaded.'),
  keep: z
    .record(z.string(), z.union([scalars, comparison], { error: 'must be a value, a list, or gt, gte, lt, lte, not' }))
    .optional()
    .describe('Only rows that match all of it.'),
  transform: text().optional().describe('A module with a function from a parsed row to none, one or more rows.'),
  on_conflict: z.enum(['nothing', 'update']).optional().describe('A row whose key is there already; default: nothing.'),
  format: z.enum(['jsonl', 'json', 'csv', 'parquet']).optional().describe('Default: by the suffix.'),
  limits: keys({
    line: size().optional().describe('The longest line; default: 16MB.'),
    inflated: size().optional().describe('The most that a drop may be unpacked; default: 1GB.'),
    ratio: count(1, 100_000).optional().describe('How many times its size a drop may be unpacked; default: 200.'),
  })
    .optional()
    .describe('What a drop may not exceed.'),
  reject_limit: percentage()
    .optional()
    .describe('The load stops when more than that share of its rows are rejects; default: never.'),
  budget: keys({
    slower: count(2, 1000).optional().describe('A batch takes so many times as long as the best ones; default: 4.'),
    lag: duration('1s').optional().describe('A standby of the target is so far behind; default: 30s.'),
    lock_waits: count(1, 10_000).optional().describe('More sessions of the target wait for locks; default: 5.'),
  })
    .optional()
    .describe('Beyond any of it the target gets fewer batches at once.'),
  schedule: schedule().optional().describe('When the daemon runs it; default: as schedule.load says.'),
  connections: count(1, 1000).optional().describe('The most over every process and machine; default: 8.'),
});
