/**
 * Claims on drops, and what the ledger says of them. Invariant: a drop has one claim at a time, times are of the target's
 * clock, and what another process is loading at the moment is left alone.
 */

import type pg from 'pg';
import { messageWithPlace, type TidemarkError } from '../../model/error.ts';
import type { Drop } from '../drop.ts';
import type { Claimed, DropOutcome, LoadedCounts } from './outcome.ts';
import { sqlName } from './sql-name.ts';

/** How long a process may be silent until others take its drops over. */
const TTL = "interval '60 seconds'";

/** Longer messages than this are cut: a server may send the whole statement back. */
const MESSAGE = 4_000;

/** Statements of one load's ledger for one process. Each takes a client, inside a transaction or outside. */
export class Ledger {
  readonly load: string;
  /** The ledger's schema, quoted. */
  readonly at: string;
  readonly #worker: string;
  readonly #holder: string;

  constructor(load: string, schema: string, worker: string, holder: string) {
    this.load = load;
    this.at = sqlName(schema);
    this.#worker = worker;
    this.#holder = holder;
  }

  /** Makes this process known, or says that it lives. */
  async beat(client: pg.ClientBase): Promise<void> {
    await client.query(
      `insert into ${this.at}.load_worker as w (worker, load, holder, expires_at)
       values ($1, $2, $3, clock_timestamp() + ${TTL})
       on conflict (worker) do update set expires_at = excluded.expires_at`,
      [this.#worker, this.load, this.#holder],
    );
  }

  /** What this process has claimed is free again. */
  async leave(client: pg.ClientBase): Promise<void> {
    await client.query(
      `delete from ${this.at}.load_worker where worker = $1 or expires_at < clock_timestamp() - interval '1 day'`,
      [this.#worker],
    );
  }

  /** Notes what the load's last attempt failed with; null: it did not. */
  async noteEnd(client: pg.ClientBase, error: TidemarkError | null): Promise<void> {
    if (error === null) {
      await client.query(`delete from ${this.at}.load_failure where load = $1`, [this.load]);
      return;
    }
    const text = (value: string | undefined) => (value === undefined ? null : cleanText(value).slice(0, MESSAGE));
    await client.query(
      `insert into ${this.at}.load_failure (load, code, message, hint) values ($1, $2, $3, $4)
       on conflict (load) do update
       set code = excluded.code, message = excluded.message, hint = excluded.hint, failed_at = excluded.failed_at`,
      [this.load, error.code, text(messageWithPlace({ ...error.place, message: error.message })), text(error.hint)],
    );
  }

  /** Says that this process waits for a connection, for about as long as it takes to ask again. */
  async wait(client: pg.ClientBase, waits: boolean): Promise<void> {
    await client.query(
      `update ${this.at}.load_worker set waiting_until = case when $2 then clock_timestamp() + interval '2 seconds' end
       where worker = $1 and ($2 or waiting_until is not null)`,
      [this.#worker, waits],
    );
  }

  /**
   * Claims those of `drops` that are new, have other content than the ledger knows, were gone, or whose claimer is dead. One
   * statement where all are known, else two; with the same `claim` it can be repeated. Must run in a transaction.
   */
  async claim(client: pg.ClientBase, drops: Drop[], claim: string): Promise<Claimed[]> {
    // By `= any`, here and below: joined with a list, the planner may read the whole ledger for each of its lines.
    const { rows: known } = await client.query<{ key: string; etag: string; bytes: string; open: boolean }>(
      `select l.key, l.etag, l.bytes, l.state in ('gone', 'claimed') as open from ${this.at}.load_drop l
       where l.load = $1 and l.key = any($2::text[])`,
      [this.load, drops.map(({ key }) => key)],
    );
    const byKey = new Map(known.map((row) => [row.key, row]));
    const isOpen = ({ key, etag, bytes }: Drop) => {
      const row = byKey.get(key);
      return row === undefined || row.open || row.etag !== etag || Number(row.bytes) !== bytes;
    };
    const open = [...new Map(drops.filter(isOpen).map((drop) => [drop.key, drop])).values()];
    if (open.length === 0) return [];
    const { rows } = await client.query<ClaimedRow>(
      `with d as materialized (
         select key collate "C" as key, etag, bytes from json_to_recordset($1::json) as d(key text, etag text, bytes bigint)),
       fresh as (
         insert into ${this.at}.load_drop as l (load, key, etag, bytes, state, worker, claim)
         select $2, d.key, d.etag, d.bytes, 'claimed', $3, $4 from d
         where not d.key = any($6::text[])
         order by d.key
         on conflict do nothing
         returning key, etag, bytes, attempt, overwritten),
       free as materialized (
         select l.key, d.etag, d.bytes, l.etag is distinct from d.etag or l.bytes <> d.bytes as other
         from d join ${this.at}.load_drop l on l.key = d.key
         where l.load = $2 and l.key = any($5::text[])
           and ((l.state in ('loaded', 'dead') and (l.etag <> d.etag or l.bytes <> d.bytes)) or l.state = 'gone'
             or (l.state = 'claimed' and (l.claim = $4 or ${this.#dead('l')})))
         order by l.key
         for no key update of l skip locked),
       taken as (
         update ${this.at}.load_drop l
         set etag = f.etag, bytes = f.bytes, state = 'claimed', worker = $3, claim = $4, error = null, finished_at = null,
           attempt = case when f.other then 1 when l.claim = $4 then l.attempt else l.attempt + 1 end,
           overwritten = l.overwritten + (f.other and l.state = 'loaded')::int
         from free f where l.load = $2 and l.key = f.key and l.key = any($5::text[])
         returning l.key, l.etag, l.bytes, l.attempt, l.overwritten)
       select * from fresh union all select * from taken`,
      [
        JSON.stringify(open.map(({ key, etag, bytes }) => ({ key, etag, bytes }))),
        this.load,
        this.#worker,
        claim,
        open.map(({ key }) => key),
        open.map(({ key }) => key).filter((key) => byKey.has(key)),
      ],
    );
    // As they were listed, not new ones first: within a batch the later drop's row of a key wins.
    const got = new Map(rows.map((row) => [row.key, row]));
    return open.flatMap(({ key }) => (got.has(key) ? [claimed(got.get(key)!, claim)] : []));
  }

  /** The greatest key of the prefix that was done with `ms` ago, with nothing unfinished before it; null: there is none. */
  async doneThrough(client: pg.ClientBase, prefix: string, ms: number): Promise<string | null> {
    const { rows } = await client.query<{ key: string }>(
      `select l.key from ${this.at}.load_drop l
       where l.load = $1 and l.key >= $2 and starts_with(l.key, $2) and l.state <> 'claimed'
         and l.finished_at < clock_timestamp() - cast($3 as double precision) * interval '1 millisecond'
         and not exists (
           select from ${this.at}.load_drop o
           where o.load = $1 and o.state = 'claimed' and o.key >= $2 and starts_with(o.key, $2) and o.key < l.key)
       order by l.key desc limit 1`,
      [this.load, prefix, ms],
    );
    return rows[0]?.key ?? null;
  }

  /** Claims up to `limit` dead drops that were dead before this process began, as the ledger knows them. */
  async claimDead(client: pg.ClientBase, limit: number, claim: string): Promise<Claimed[]> {
    const { rows } = await client.query<ClaimedRow>(
      `with free as materialized (
         select l.key from ${this.at}.load_drop l
         where l.load = $1 and (l.state = 'dead' and l.finished_at < (select started_at from ${this.at}.load_worker where worker = $2)
           or l.state = 'claimed' and l.claim = $3)
         order by l.key limit $4
         for no key update of l skip locked)
       update ${this.at}.load_drop l
       set state = 'claimed', worker = $2, claim = $3, finished_at = null, attempt = l.attempt + (l.state = 'dead')::int
       from free f where l.load = $1 and l.key = f.key
       returning l.key, l.etag, l.bytes, l.attempt, l.overwritten`,
      [this.load, this.#worker, claim, limit],
    );
    return rows.map((row) => claimed(row, claim));
  }

  /** Gives claims back, so that anybody can take them at once. */
  async release(client: pg.ClientBase, drops: Claimed[]): Promise<void> {
    await client.query(
      `update ${this.at}.load_drop l set worker = null
       where l.load = $1 and l.key = any($2::text[]) and l.claim = any($3::uuid[]) and l.state = 'claimed'`,
      this.#under(drops),
    );
  }

  /**
   * Locks the rows of these drops until the transaction ends. Of each that is still under our claim: `claimed`, or what an
   * earlier attempt, whose commit we have not heard of, made of it.
   */
  async lock(client: pg.ClientBase, drops: Claimed[]): Promise<Map<string, 'claimed' | DropOutcome>> {
    const { rows } = await client.query<LedgerRow>(
      `select l.key, l.bytes, l.state, l.overwritten, l.error, l.rows_in, l.rows_out, l.rows_filtered, l.rows_rejected, l.rows_known
       from ${this.at}.load_drop l
       where l.load = $1 and l.key = any($2::text[]) and l.claim = any($3::uuid[])
       order by l.key for no key update of l`,
      this.#under(drops),
    );
    return new Map(rows.map((row) => [row.key, row.state === 'claimed' ? 'claimed' : outcomeOf(row)]));
  }

  /** Of these drops the hash of the content that was loaded last. */
  async contents(client: pg.ClientBase, drops: Claimed[]): Promise<Map<string, string | null>> {
    const { rows } = await client.query<{ key: string; content: string | null }>(
      `select l.key, l.content from ${this.at}.load_drop l where l.load = $1 and l.key = any($2::text[])`,
      [this.load, drops.map(({ key }) => key)],
    );
    return new Map(rows.map(({ key, content }) => [key, content]));
  }

  /** Writes down what became of the drops. */
  async finish(client: pg.ClientBase, outcomes: DropOutcome[]): Promise<void> {
    const rows = outcomes.map((outcome) => ({
      key: outcome.key,
      state: outcome.state,
      error: outcome.state === 'dead' ? cleanText(outcome.reason) : null,
      i: outcome.counts.rowsIn,
      o: outcome.counts.rowsOut,
      f: outcome.counts.filtered,
      r: outcome.counts.rejected,
      k: outcome.counts.known,
      content: outcome.state === 'loaded' ? (outcome.content ?? null) : null,
      touched: outcome.touched ?? false,
    }));
    await client.query(
      `update ${this.at}.load_drop l
       set state = d.state, error = d.error, worker = null, finished_at = clock_timestamp(),
         rows_in = d.i, rows_out = d.o, rows_filtered = d.f, rows_rejected = d.r, rows_known = d.k,
         content = d.content, overwritten = l.overwritten - d.touched::int
       from json_to_recordset($1::json) as d(key text, state text, error text, i bigint, o bigint, f bigint, r bigint, k bigint,
         content text, touched boolean)
       where l.load = $2 and l.key = d.key and l.key = any($3::text[])`,
      [JSON.stringify(rows), this.load, outcomes.map(({ key }) => key)],
    );
  }

  /** The load, the drops' keys, their claims: a key has one claim at a time, so that lists are as good as pairs. */
  #under(drops: Claimed[]): [load: string, keys: string[], claims: string[]] {
    return [this.load, drops.map(({ key }) => key), [...new Set(drops.map(({ claim }) => claim))]];
  }

  #dead(alias: string): string {
    return `not exists (select from ${this.at}.load_worker w where w.worker = ${alias}.worker and w.expires_at > clock_timestamp())`;
  }
}

/** Without NUL and half characters, which Postgres has no place for. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '\\u0000').toWellFormed();
}

type ClaimedRow = { key: string; etag: string; bytes: string; attempt: number; overwritten: number };
type Count = 'rows_in' | 'rows_out' | 'rows_filtered' | 'rows_rejected' | 'rows_known';
type LedgerRow = { key: string; bytes: string; overwritten: number; error: string | null } & Record<Count, string> & {
    state: 'claimed' | 'loaded' | 'dead' | 'gone';
  };

function claimed(row: ClaimedRow, claim: string): Claimed {
  const { key, etag, attempt } = row;
  return { key, etag, bytes: Number(row.bytes), claim, attempt, overwritten: row.overwritten > 0 };
}

function outcomeOf(row: LedgerRow): DropOutcome {
  const counts: LoadedCounts = {
    rowsIn: Number(row.rows_in),
    rowsOut: Number(row.rows_out),
    filtered: Number(row.rows_filtered),
    rejected: Number(row.rows_rejected),
    known: Number(row.rows_known),
  };
  const drop = { key: row.key, bytes: Number(row.bytes), overwritten: row.overwritten > 0, counts };
  if (row.state === 'dead') return { ...drop, state: 'dead', reason: row.error ?? '' };
  return { ...drop, state: row.state === 'gone' ? 'gone' : 'loaded' };
}
