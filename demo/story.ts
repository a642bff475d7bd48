/** The demo's story, step by step, as far as the raw files. Invariant: what it says about rows and lake was looked up, not written down beforehand. */

import path from 'node:path';
import type pg from 'pg';
import { formatCount } from '../src/model/format.ts';
import { openLakeSql } from './lake.ts';
import { expectSame } from './proof.ts';
import { command, point, say, show, sql, step, table } from './screen.ts';
import { busyMinute, buy, openInvoice } from './shop/day.ts';
import { openShop } from './shop/open.ts';
import { CONFIG, type Stage } from './stage.ts';
import { tellStaged } from './staged-story.ts';
import { tidemark } from './tidemark.ts';
import { tree } from './tree.ts';

/** The transaction that is open while the second export runs, and what it wrote. */
type SlowCheckout = { client: pg.Client; paid: string; bought: string };

/** Throws when something of what it promises does not come true. */
export async function tell(stage: Stage, signal: AbortSignal): Promise<void> {
  const client = await stage.connect();
  await openTheShop(stage, client);
  await firstExport(stage, signal);
  const slow = await exportDuringCheckout(stage, client, signal);
  await lateRows(stage, client, slow, signal);
  await files(stage, slow);
  await tellStaged(stage, client, [slow.paid, slow.bought], signal);
}

async function openTheShop(stage: Stage, client: pg.Client): Promise<void> {
  step(
    'A shop opens',
    `A Postgres server of its own, in ${stage.folder}: an audio shop with nine tables. Eight have
    updated_at; playlist_track has only its two keys.`,
  );
  const rows = await openShop(client, Date.now());
  const [{ version }] = (await client.query(`select split_part(version(), ' on ', 1) as version`)).rows;
  show(`${version}, ${formatCount(rows)} rows`);
}

async function firstExport(stage: Stage, signal: AbortSignal): Promise<void> {
  step(
    'The first export',
    `Everything, to Parquet files under lake/raw. This is the whole configuration; s3://bucket/prefix in the place
    of file:./lake is all that S3 needs.`,
  );
  command('cat tidemark.yaml');
  show(...CONFIG.trim().split('\n'));
  show('');
  await tidemark(stage, ['export', '--all'], signal);
}

async function exportDuringCheckout(stage: Stage, client: pg.Client, signal: AbortSignal): Promise<SlowCheckout> {
  step(
    'An export while a transaction is open',
    `A slow checkout begins: it pays an old invoice, writes a new one, and does not commit yet. Meanwhile the shop is
    busy. The export does not wait for the checkout, and cannot see its rows.`,
  );
  const slow = await stage.connect();
  await slow.query('begin');
  const paid = await openInvoice(slow);
  await slow.query(`update invoice set status = 'paid' where invoice_id = $1`, [paid]);
  const { invoice, lines } = await buy(slow, 7, [1, 2, 3]);
  show(`open:      pays invoice ${paid}; invoice ${invoice} with ${lines.length} lines`);
  say(`committed: ${(await busyMinute(client)).join(', ')}.`);
  show('');
  await tidemark(stage, ['export', '--all'], signal);
  return { client: slow, paid, bought: invoice };
}

async function lateRows(stage: Stage, client: pg.Client, slow: SlowCheckout, signal: AbortSignal): Promise<void> {
  step(
    'The checkout commits: late rows',
    `updated_at = now() is when a transaction began. The rows that appear now are older than rows which were exported
    already, so "everything newer than last time", as most tools ask, never finds them:`,
  );
  await slow.client.query('commit');
  using lake = await openLakeSql(path.join(stage.folder, 'lake'));
  const [{ newest }] = await lake.query('select max(updated_at)::varchar as newest from invoice');
  const missed = await client.query('select invoice_id from invoice where updated_at > $1', [newest]);
  sql(`select invoice_id from invoice\n  where updated_at > '${newest}'`);
  show(`  ${missed.rowCount === 0 ? '(no rows)' : missed.rows.map((row) => row.invoice_id).join(', ')}`, '');
  await tidemark(stage, ['export', '--all'], signal);
  show('');
  say('In the Parquet files, the invoices of that last run, and when the run before it looked:');
  const late = await lateInvoices(stage);
  table(late);
  expectSame(late.map((row) => String(row.invoice_id)).sort(), [slow.paid, slow.bought].sort(), 'the late invoices');
  point(
    `Invoices ${slow.paid} and ${slow.bought} came late, and they came, once. Every tool that only compares updated_at loses them.`,
  );
}

/** Invoices of the newest run whose updated_at lies before the snapshot of the run before. */
async function lateInvoices({ folder }: Stage): Promise<Record<string, unknown>[]> {
  using lake = await openLakeSql(path.join(folder, 'lake'));
  // Awaited here: a query that outlives its connection ends the process.
  return await lake.query(`
    with runs as (select distinct _tidemark_run as run, _tidemark_at as looked from invoice),
      newest as (select max(run) as run, max(looked) filter (where run < (select max(run) from runs)) as looked from runs)
    select invoice_id, status, strftime(updated_at, '%H:%M:%S.%f') as updated_at,
      strftime(looked, '%H:%M:%S.%f') as run_before_looked_at, run
    from invoice join newest on run = _tidemark_run where updated_at < looked order by invoice_id`);
}

async function files({ folder }: Stage, slow: SlowCheckout): Promise<void> {
  step(
    'What lies in the lake',
    `A file is never changed once it is there. It appears whole, when its run is committed, and its name carries the
    number of that run. The third run found something in two tables only.`,
  );
  show('lake/raw', ...(await tree(path.join(folder, 'lake', 'raw'))), '');
  say('Any reader of Parquet will do; this is DuckDB. Every version of a row is kept:');
  using lake = await openLakeSql(path.join(folder, 'lake'));
  const versions = `
select invoice_id, status, total, _tidemark_run as run
from 'lake/raw/invoice/*/*.parquet' where invoice_id = ${slow.paid} order by run`;
  sql(versions);
  // The query as shown names files; here it asks a view over the same files.
  table(await lake.query(versions.replace("'lake/raw/invoice/*/*.parquet'", 'invoice')));
}
