/** Stored rejects, loaded after a fix. Invariant: a reject is marked as replayed in the transaction that loads its rows. */

import type pg from 'pg';
import { TEMP } from './batch-sql.ts';
import { cleanText, type Ledger } from './ledger.ts';
import type { ReplayBatch, ReplayOutcome, StoredReject } from './outcome.ts';
import { type PutInto, putRows } from './put-rows.ts';

/** Up to `limit` of them after the one with id `after`, in the order of their ids. */
export async function readRejects(
  client: pg.ClientBase,
  { at, load }: Ledger,
  after: string,
  limit: number,
): Promise<StoredReject[]> {
  const { rows } = await client.query<StoredReject & { line: string }>(
    `select id, key, etag, line, text from ${at}.load_reject
     where load = $1 and id > $2 and replayed_at is null order by id limit $3`,
    [load, after, limit],
  );
  return rows.map((row) => ({ ...row, line: Number(row.line) }));
}

type Resolved = { id: string; key: string; etag: string; out: number; known: number; filtered: number };
type Failed = { id: string; reason: string; column: string | null };

/** In a transaction that has begun; commits it. What another process has replayed meanwhile is not counted again. */
export async function replayBatch(
  client: pg.ClientBase,
  { ledger, into }: { ledger: Ledger; into: PutInto },
  { rejects, read }: ReplayBatch,
  signal: AbortSignal,
): Promise<ReplayOutcome> {
  const { at, load } = ledger;
  const { rows: locked } = await client.query<{ id: string }>(
    `select id from ${at}.load_reject where id = any($1::bigint[]) and replayed_at is null order by id for no key update`,
    [rejects.map(({ id }) => id)],
  );
  const open = new Set(locked.map(({ id }) => id));
  const failed = new Map<number, Omit<Failed, 'id'>>();
  for (const { line, reason, column } of read.rejects) failed.set(line, { reason, column });
  const rows = read.counts.rowsOut;
  let out = new Map<number, number>();
  let written: Map<number, number> | null = null;
  if (rows > 0) {
    // Rows that are known must be told apart by line: only those of rejects that are now resolved count.
    const put = await putRows(client, { ...into, meetsKnown: true }, [read.rows], rows, '_l', signal);
    for (const { line, reason, column } of put.refused) failed.set(line, { reason, column });
    written = put.written;
    const left = await client.query<{ n: string; rows: number }>(
      `select _l as n, count(*)::int4 as rows from ${TEMP} group by _l`,
    );
    out = new Map(left.rows.map((row) => [Number(row.n), row.rows]));
  }
  const resolved: Resolved[] = [];
  const again: Failed[] = [];
  for (const [i, { id, key, etag }] of rejects.entries()) {
    const line = i + 1;
    const bad = failed.get(line);
    if (!open.has(id)) continue;
    if (bad) {
      again.push({ id, reason: cleanText(bad.reason), column: bad.column });
      continue;
    }
    const rowsOut = out.get(line) ?? 0;
    const known = written === null ? 0 : Math.max(0, rowsOut - (written.get(line) ?? 0));
    resolved.push({ id, key, etag, out: rowsOut, known, filtered: rowsOut === 0 ? 1 : 0 });
  }
  await client.query(
    `update ${at}.load_reject r set attempt = r.attempt + 1, rejected_at = clock_timestamp(), reason = d.reason, "column" = d."column"
     from json_to_recordset($1::json) as d(id bigint, reason text, "column" text) where r.id = d.id`,
    [JSON.stringify(again)],
  );
  const done = JSON.stringify(resolved);
  await client.query(
    `update ${at}.load_reject r set replayed_at = clock_timestamp()
     from json_to_recordset($1::json) as d(id bigint) where r.id = d.id`,
    [done],
  );
  // Of other content that came under the key meanwhile the ledger counts nothing.
  await client.query(
    `update ${at}.load_drop l set rows_rejected = l.rows_rejected - s.n, rows_out = l.rows_out + s.out,
       rows_known = l.rows_known + s.known, rows_filtered = l.rows_filtered + s.filtered
     from (select key, etag, count(*) as n, sum(out) as out, sum(known) as known, sum(filtered) as filtered
       from json_to_recordset($1::json) as d(key text, etag text, out bigint, known bigint, filtered bigint) group by key, etag) s
     where l.load = $2 and l.key = s.key and l.etag = s.etag and l.state = 'loaded'`,
    [done, load],
  );
  await client.query('commit');
  const sum = (of: (each: Resolved) => number) => resolved.reduce((total, each) => total + of(each), 0);
  return {
    rowsOut: sum((each) => each.out),
    known: sum((each) => each.known),
    filtered: sum((each) => each.filtered),
    rejected: again.length,
  };
}
