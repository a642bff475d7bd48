/** The story's second half: the staged tables. Invariant: what it says about rows and files was looked up, not written down beforehand. */

import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { logLines } from './delta-log.ts';
import { expectSame } from './proof.ts';
import { point, say, show, step } from './screen.ts';
import { nextDay } from './shop/day.ts';
import type { Stage } from './stage.ts';
import { tidemark } from './tidemark.ts';

/** `late`: the invoices that came late. Throws when something of what it promises does not come true. */
export async function tellStaged(stage: Stage, client: pg.Client, late: string[], signal: AbortSignal): Promise<void> {
  await compaction(stage, signal);
  await questions(stage, client, late, signal);
  await anotherDay(stage, client, signal);
  await theLog(stage, signal);
}

async function compaction(stage: Stage, signal: AbortSignal): Promise<void> {
  step(
    'The present, as Delta tables',
    `The newest version of each row is the present. compact keeps it under lake/staged: a Delta table for each source
    table, one row a key, for DuckDB, Spark, Athena and others. It reads the raw files alone; the database is not asked.`,
  );
  await tidemark(stage, ['compact', '--all'], signal);
}

const REVENUE = `select country, count(*) as invoices, sum(total) as revenue
  from invoice where status = 'paid' group by country order by revenue desc`;

async function questions(stage: Stage, client: pg.Client, late: string[], signal: AbortSignal): Promise<void> {
  step(
    'Asking present and history',
    'tidemark query is SQL over the lake: a staged table goes by its name, and raw.<name> is all that it ever was.',
  );
  const said = await tidemark(stage, ['query', REVENUE], signal);
  const found = [...said.matchAll(/^(\S.*?) +(\d+) +(\d+\.\d\d)$/gm)].map(([, ...values]) => values);
  const { rows } = await client.query({ text: REVENUE, rowMode: 'array' });
  expectSame(found, rows, 'revenue by country');
  point('Postgres answers the same, to the cent. What became of the two late invoices:');
  show('');
  await tidemark(
    stage,
    [
      'query',
      `select invoice_id, i.status,
  h.status as was, _tidemark_run as run
  from invoice i join raw.invoice h using (invoice_id)
  where invoice_id in (${late.join(', ')}) order by invoice_id, run`,
    ],
    signal,
  );
}

const VECTORS = `tables:
  - table: public.*
  - { table: track, merge: vectors }
`;

async function anotherDay(stage: Stage, client: pg.Client, signal: AbortSignal): Promise<void> {
  step(
    'Another day',
    `What a compaction costs follows the change: a file that holds a changed row is written again, other files stay. Where
    changes lie all over a large table that is much, so here is the other way, for track: its old rows are marked in a
    deletion vector, and only the new ones are written.`,
  );
  await appendFile(path.join(stage.folder, 'tidemark.yaml'), VECTORS);
  show(
    ...VECTORS.trim()
      .split('\n')
      .map((line) => `  ${line}`),
    '',
  );
  say(`committed: ${(await nextDay(client)).join(', ')}.`);
  show('');
  await tidemark(stage, ['export', '--table', 'customer,track'], signal);
  show('');
  await tidemark(stage, ['compact', '--table', 'customer,track'], signal);
}

async function theLog(stage: Stage, signal: AbortSignal): Promise<void> {
  step(
    'Versions, and a file in the Delta log',
    'Every compaction is a version. Below it: a file that one version wrote and another one replaced, as the log has it.',
  );
  await tidemark(stage, ['history', '--table', 'customer'], signal);
  show('', ...(await logLines(path.join(stage.folder, 'lake', 'staged', 'customer'), 'customer_id')), '');
  say('The file is there until vacuum, after 7 days by default: older versions can still be asked.');
  show('');
  await tidemark(
    stage,
    [
      'query',
      '--at-version',
      '1',
      `select country, count(*) as customers
  from customer where country = 'Iceland' group by country`,
    ],
    signal,
  );
}
