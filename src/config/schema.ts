/** Every key of tidemark.yaml. config/example.yaml shows each of them; a test compares the two. */

import { z } from 'zod';
import { auth, count, duration, keys, size, text } from './fields.ts';
import { s3 } from './schema-lake.ts';
import { loadEntry } from './schema-loads.ts';
import { schedules } from './schema-schedule.ts';
import { defaults, tableEntry } from './schema-tables.ts';

const tls = keys({
  ca: text().optional().describe('PEM file of the authority that signs the server; with it the server is verified.'),
});

const source = keys({
  url: text().describe('postgres://user@host:5432/database?sslmode=verify-full; the parameters are those of libpq.'),
  connections: count(1, 100)
    .optional()
    .describe('The most that tidemark ever opens there, over all processes; default: 2.'),
  statement_timeout: duration('1s').optional().describe('Of each statement; default: 30m.'),
  tls: tls.optional().describe('What the URL does not say of TLS.'),
  auth: auth().optional().describe('How to log in; default: password (URL, PGPASSWORD, ~/.pgpass).'),
  primary: text()
    .optional()
    .describe(
      "Where url is a standby: its primary's URL, to see the transactions that are open there; tls and auth hold for both.",
    ),
});

const state = keys({
  url: text().optional().describe('Another Postgres for it; needed when the source is read-only or a standby.'),
  schema: text().optional().describe('Its schema there; default: tidemark.'),
  tls: tls.optional().describe("As the source's."),
  auth: auth().optional().describe("As the source's; without a url of its own it is the source's."),
});

export const configSchema = keys({
  source: source.describe('The Postgres whose rows are exported.'),
  state: state.optional().describe('Where marks, runs and leases are kept; default: the source.'),
  lake: text().describe('Where the files go: s3://bucket/prefix, or file:./lake (relative to this file).'),
  s3: s3.optional().describe('How to reach S3. Credentials come from the AWS chain alone: environment, profile, role.'),
  spool: keys({
    path: text().optional().describe("Default: a folder of the system's temporary one."),
    limit: size('64MB').optional().describe('The most that may lie there; default: 4GB.'),
  })
    .optional()
    .describe('Where compaction and queries keep files for a while.'),
  memory: size('64MB').optional().describe('What DuckDB may use, in compactions and queries; default: 112MB.'),
  defaults: defaults.optional().describe('What holds for every table that says nothing else.'),
  tables: z.array(tableEntry).optional().describe('The tables to export; default: public.*'),
  loads: z.array(loadEntry).optional().describe('The event files to load into Postgres.'),
  schedule: schedules
    .optional()
    .describe('When the daemon does what: cron expressions, "@every 30s", @hourly and the like, or off.'),
  status: keys({
    listen: text()
      .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]*):\d{1,5}$/, { error: 'must be host:port' })
      .refine((listen) => Number(/\d+$/.exec(listen)?.[0]) < 65_536, { error: 'has a port beyond 65535' })
      .optional()
      .describe("The daemon's status page; default: 127.0.0.1:9393."),
    token: z.string().optional().describe('What a browser must know to see it; empty: nothing.'),
  })
    .optional()
    .describe('The status page.'),
});

export type ParsedConfig = z.output<typeof configSchema>;
