/** The keys of an entry of `tables:`. */

import { z } from 'zod';
import { count, duration, flag, keys, size, text, timezone } from './fields.ts';
import { tableSchedules } from './schema-schedule.ts';

const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;
const MERGES = ['rewrite', 'vectors'] as const;

const column = keys({
  type: text()
    .optional()
    .describe(
      'The type in the lake, where it is to be another one: string, integer, long, double, decimal(p,s), array.',
    ),
  on_unfit: z
    .union([z.enum(['fail', 'null', 'text']), z.null().transform(() => 'null' as const)], {
      error: 'must be fail, null or text',
    })
    .optional()
    .describe(
      'A value without a place in that type: fail stops the run, null writes NULL, text writes it to <column>__text.',
    ),
});

const expectation = keys({
  columns: z.enum(['open', 'closed']).optional().describe('closed: a column that is new in the source breaks it.'),
  not_null: z.array(text()).optional().describe('Columns that hold no NULL.'),
  accepted: z
    .record(z.string(), z.array(z.union([z.string(), z.number(), z.boolean()])))
    .optional()
    .describe('Columns with the only values that they may hold.'),
  on_break: z
    .enum(['stop', 'report'])
    .optional()
    .describe('stop: the table is not exported; report: it is, and said so.'),
});

export const tableEntry = keys({
  table: text().describe(
    'A table (invoice, app.invoice, app."Odd.Name") or a pattern (public.*, app.inv*, *.*). A table wins over a pattern, a longer pattern over a shorter one.',
  ),
  skip: flag().optional().describe('true: it is not exported.'),
  key: z
    .union([z.literal('none'), text().transform((column) => [column]), z.array(text()).min(1)], {
      error: 'must be a list of columns, or none',
    })
    .optional()
    .describe(
      'The columns that tell rows apart; default: the primary key. none: the table has no key, and is exported all the same.',
    ),
  cursor: text()
    .optional()
    .describe(
      'The column that says when a row last changed, a time or a counted bigint; default: updated_at if there is one. none: every run scans the table.',
    ),
  as: text()
    .regex(/^(?!\.+$)[A-Za-z0-9_.-]{1,200}$/, { error: 'must be made of letters, digits, "_", "." and "-"' })
    .optional()
    .describe(
      "The folder's name under raw/ and staged/; default: the table's name, with <schema>_ before it outside of public.",
    ),
  exclude: z.array(text()).optional().describe('Columns that are left out.'),
  columns: z.record(z.string(), column).optional().describe('What is special about single columns.'),
  where: text().optional().describe('An SQL condition over the row alone (immutable); other rows are not exported.'),
  start: text().optional().describe('The least cursor value of the first export; default: everything.'),
  timezone: timezone()
    .optional()
    .describe('Where the writers of a cursor without time zone keep their clocks; default: unknown.'),
  late: duration().optional().describe('As in defaults, for this table.'),
  margin: duration().optional().describe('As in defaults, for this table.'),
  file_size: size('1MB').optional().describe('As in defaults, for this table.'),
  readers: count(1, 64).optional().describe('As in defaults, for this table.'),
  compression: z.enum(COMPRESSIONS).optional().describe('As in defaults, for this table.'),
  merge: z.enum(MERGES).optional().describe('As in defaults, for this table.'),
  schedule: tableSchedules.optional().describe('Of this table, where it differs from the others.'),
  expect: expectation.optional().describe('What must hold of the rows.'),
});

export const defaults = keys({
  late: duration()
    .optional()
    .describe('How far back a run looks when it may not see how long the open transactions have been open.'),
  margin: duration().optional().describe("How far the server's clock may step back."),
  file_size: size('1MB').optional().describe('About how large a raw file gets.'),
  chunk: size('1MB').optional().describe('About how much of a large table one statement of a first export reads.'),
  readers: count(1, 64)
    .optional()
    .describe('Connections that read one table at once, where it is read whole and so many are free.'),
  compression: z.enum(COMPRESSIONS).optional().describe('Of the raw files.'),
  lease: duration('5s').optional().describe('How long a process that died keeps a table from the others.'),
  retention: duration()
    .optional()
    .describe('How long files that nothing refers to are kept, and the manifest of old runs stays in the state store.'),
  merge: z.enum(MERGES).optional().describe('How changes get into a staged table: whole files, or deletion vectors.'),
});
