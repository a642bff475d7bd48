/** What happens in the shop while exports run. Each function is a transaction of its own, but for the slow checkout's. */

import type pg from 'pg';
import { CUSTOMERS, SONGS } from './data.ts';
import { Dice } from './dice.ts';

/** Ids that a checkout left. */
export type Checkout = { invoice: string; lines: string[] };

/** A customer buys some tracks: an invoice and its lines. Runs within the caller's transaction. */
export async function buy(client: pg.ClientBase, customer: number, tracks: number[]): Promise<Checkout> {
  const invoice = await client.query<{ invoice_id: string }>(
    `insert into invoice (customer_id, status, country, total)
     select customer_id, 'paid', country, (select sum(price) from track where track_id = any($2))
     from customer where customer_id = $1 returning invoice_id`,
    [customer, tracks],
  );
  const id = invoice.rows[0].invoice_id;
  const lines = await client.query<{ id: string }>(
    `insert into invoice_line (invoice_id, track_id, price, quantity)
     select $1, track_id, price, 1 from track where track_id = any($2) returning invoice_line_id as id`,
    [id, tracks],
  );
  return { invoice: id, lines: lines.rows.map((row) => row.id) };
}

/** A busy minute: invoices, people who move, new prices, songs put on a playlist. */
export async function busyMinute(client: pg.Client): Promise<string[]> {
  const dice = new Dice(7, Date.now());
  const sales = 150;
  for (let i = 0; i < sales; i++) {
    await client.query('begin');
    await buy(client, dice.int(1, CUSTOMERS), [dice.int(1, SONGS / 2), dice.int(SONGS / 2 + 1, SONGS)]);
    await client.query('commit');
  }
  await client.query(`update customer set city = 'Reykjavík', country = 'Iceland' where customer_id % 100 = 7`);
  await client.query('update track set price = 0.69 where album_id = 42');
  await client.query(`insert into playlist_track select 1, track_id, 100 from track where album_id = 77`);
  return [`${sales} invoices`, '25 customers move to Iceland', 'an album gets cheaper', '10 songs onto a playlist'];
}

/** The next day: people come back from Iceland, and a sale on songs all over the shop. */
export async function nextDay(client: pg.Client): Promise<string[]> {
  const home = await client.query(`update customer set city = 'Oslo', country = 'Norway' where country = 'Iceland'`);
  const sale = await client.query('update track set price = 0.49 where track_id % 100 = 1');
  return [`${home.rowCount} customers move to Norway`, `${sale.rowCount} songs all over the shop get cheaper`];
}

/** An open invoice that somebody is about to pay. */
export async function openInvoice(client: pg.Client): Promise<string> {
  const found = await client.query<{ id: string }>(
    `select invoice_id as id from invoice where status = 'open' order by updated_at limit 1`,
  );
  return found.rows[0].id;
}
