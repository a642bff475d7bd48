/**
 * Transactions as Postgres has them, as far as an export can see them: ids, subtransactions, snapshots, activity. Pure.
 * Invariant: a row is written by one transaction at a time, and what its last committed version is depends on the snapshot alone.
 */

import type { Leaf } from '../../src/model/mark.ts';

export type Version = { row: number; number: number; id: bigint; cursor: bigint | null; deleted: boolean };

/** `ids`: all that are lost when the level is rolled back to. */
type Level = { id: bigint | null; ids: bigint[] };
type Transaction = { now: bigint; levels: Level[]; drawn: bigint | null };
/** `message`: start of the simple-query message that is being worked off. */
type Session = { transaction: Transaction | null; message: bigint | null };

export type WorldSnapshot = { xmin: bigint; xmax: bigint; running: bigint[]; at: bigint; commits: number };

/** Tables, and how many rows they have together at first. */
export const TABLES = 2;
export const ROWS = 6;

/** A partition; `table` null: it is not attached to one yet. */
type Held = { leaf: Leaf; table: number | null; rows: number[] };

export const SESSIONS = 6;
/** Its activity cannot be seen when the world is `hidden`. */
const HIDDEN = 4;
/** Works in another database: it takes ids, and never writes to our tables. */
const ELSEWHERE = 5;

// Ids on both sides of a 32-bit boundary.
const FIRST_ID = 5n * 2n ** 32n - 12n;

/** The next id; 0, 1 and 2 have meanings of their own, in each round of 32 bits. */
function after(id: bigint): bigint {
  return ((id + 1n) & 0xffff_ffffn) < 3n ? id + 4n : id + 1n;
}

export class World {
  clock = 1_790_000_000_000_000n;
  readonly hidden: boolean;
  readonly #precision: 0 | 6;
  /** Cursors are drawn from a sequence. */
  readonly counted: boolean;
  /** Its last value. */
  count = 0n;
  #nextId = FIRST_ID;
  #completed = FIRST_ID - 1n;
  #commits = 0;
  #numbers = 0;
  readonly #running = new Set<bigint>();
  readonly #committedAt = new Map<bigint, number>();
  readonly #sessions: Session[] = Array.from({ length: SESSIONS }, () => ({ transaction: null, message: null }));
  readonly #prepared: Transaction[] = [];
  readonly #rows = new Map<number, Version[]>();
  #held: Held[] = Array.from({ length: TABLES }, (_, table) => ({
    leaf: { oid: table + 1, filenode: table + 1 },
    table,
    rows: Array.from({ length: ROWS }, (_, row) => row).filter((row) => row % TABLES === table),
  }));
  #lastOid = TABLES;
  #lastRow = ROWS;

  constructor(options: { hidden: boolean; precision: 0 | 6; counted?: boolean }) {
    this.counted = options.counted ?? false;
    this.hidden = options.hidden;
    this.#precision = options.precision;
  }

  begin(session: number): Transaction {
    const at = this.#sessions[session];
    at.transaction ??= { now: at.message ?? this.clock, levels: [{ id: null, ids: [] }], drawn: null };
    return at.transaction;
  }

  beginMessage(session: number): void {
    this.#sessions[session].message ??= this.clock;
  }

  endMessage(session: number): void {
    this.#sessions[session].message = null;
  }

  /** nextval before anything is written: the transaction may have no id yet. */
  draw(session: number): void {
    this.begin(session).drawn = ++this.count;
  }

  savepoint(session: number): void {
    this.#sessions[session].transaction?.levels.push({ id: null, ids: [] });
  }

  release(session: number): void {
    const levels = this.#sessions[session].transaction?.levels;
    if (levels && levels.length > 1) levels.at(-2)!.ids.push(...levels.pop()!.ids);
  }

  rollbackTo(session: number): void {
    const levels = this.#sessions[session].transaction?.levels;
    if (!levels || levels.length < 2) return;
    this.#end(levels.at(-1)!.ids, false);
    levels[levels.length - 1] = { id: null, ids: [] };
  }

  /** Outside of a transaction it is one of its own. */
  write(session: number, which: number, how: 'now' | 'null' | 'delete'): void {
    const rows = this.#held.flatMap(({ table, rows }) => (table === null ? [] : rows));
    const row = rows[which % rows.length];
    const alone = this.#sessions[session].transaction === null;
    const transaction = this.begin(session);
    const id = this.#idOf(transaction);
    const versions = this.#rows.get(row) ?? [];
    const last = versions.at(-1);
    const locked = last && this.#running.has(last.id) && !transaction.levels.some(({ ids }) => ids.includes(last.id));
    if (!locked && session !== ELSEWHERE) {
      this.#rows.set(row, versions);
      const cursor = how === 'null' ? null : this.counted ? this.#drawn(transaction) : this.#rounded(transaction.now);
      versions.push({ row, number: this.#numbers++, id, cursor, deleted: how === 'delete' });
    }
    if (alone) this.end(session, true);
  }

  #drawn(transaction: Transaction): bigint {
    const value = transaction.drawn ?? ++this.count;
    transaction.drawn = null;
    return value;
  }

  #idOf({ levels }: Transaction): bigint {
    for (const level of levels) {
      if (level.id !== null) continue;
      level.id = this.#nextId;
      this.#nextId = after(level.id);
      level.ids.push(level.id);
      this.#running.add(level.id);
    }
    return levels.at(-1)!.id!;
  }

  /** As timestamptz(0) does it, when the world's cursors are of that type. */
  #rounded(now: bigint): bigint {
    return this.#precision === 6 ? now : ((now + 500_000n) / 1_000_000n) * 1_000_000n;
  }

  end(session: number, commit: boolean): void {
    const at = this.#sessions[session];
    if (at.transaction) this.#finish(at.transaction, commit);
    at.transaction = null;
  }

  /** PREPARE TRANSACTION: only one that wrote something is there afterwards. */
  prepare(session: number): void {
    const at = this.#sessions[session];
    if (session === ELSEWHERE || !at.transaction || at.transaction.levels[0].id === null) return;
    this.#prepared.push(at.transaction);
    at.transaction = null;
  }

  endPrepared(which: number, commit: boolean): void {
    const [transaction] = this.#prepared.splice(which % Math.max(this.#prepared.length, 1), 1);
    if (transaction) this.#finish(transaction, commit);
  }

  #finish({ levels }: Transaction, commit: boolean): void {
    this.#end(
      levels.flatMap(({ ids }) => ids),
      commit,
    );
  }

  #end(ids: bigint[], commit: boolean): void {
    if (ids.length === 0) return;
    if (commit) this.#commits++;
    for (const id of ids) {
      this.#running.delete(id);
      if (id > this.#completed) this.#completed = id;
      if (commit) this.#committedAt.set(id, this.#commits);
    }
  }

  /** Least start in pg_stat_activity. `byQuery`: by query_start too, as it is NULL between the transactions of a message. */
  oldestStart(byQuery: boolean): bigint | null {
    const starts = this.#sessions.flatMap(({ transaction, message }, i) => {
      if (i === ELSEWHERE || (i === HIDDEN && this.hidden)) return [];
      const start = transaction ? transaction.now : byQuery ? message : null;
      return start === null ? [] : [start];
    });
    return starts.length === 0 ? null : starts.reduce((a, b) => (a < b ? a : b));
  }

  prepared(): bigint[] {
    return this.#prepared.map(({ levels }) => levels[0].id!);
  }

  /** pg_xact_status. */
  isRunning(id: bigint): boolean {
    return this.#running.has(id);
  }

  snapshot(): WorldSnapshot {
    const xmax = after(this.#completed);
    const tops = [...this.#sessions.map(({ transaction }) => transaction), ...this.#prepared]
      .flatMap((transaction) => transaction?.levels[0].id ?? [])
      .filter((id) => id < xmax);
    const xmin = tops.reduce((least, id) => (id < least ? id : least), xmax);
    return { xmin, xmax, running: tops, at: this.clock, commits: this.#commits };
  }

  /** What the snapshot sees of the rows. */
  visible({ commits }: WorldSnapshot, table: number): Version[] {
    const ours = this.#held.flatMap((held) => (held.table === table ? held.rows : []));
    return ours.flatMap((row) => {
      const versions = this.#rows.get(row) ?? [];
      const last = versions.findLast(({ id }) => (this.#committedAt.get(id) ?? Number.POSITIVE_INFINITY) <= commits);
      return last && !last.deleted ? [last] : [];
    });
  }

  leaves(table: number): Leaf[] {
    return this.#held.flatMap((held) => (held.table === table ? [held.leaf] : []));
  }

  leafOf(row: number): number {
    return this.#held.find(({ rows }) => rows.includes(row))!.leaf.oid;
  }

  /** A table of its own with a row whose cursor is old. */
  spare(): void {
    this.#held.push(this.#made(null));
  }

  attach(table: number): void {
    const spare = this.#held.find((held) => held.table === null);
    if (spare) spare.table = table;
  }

  /** `moved`: every row is as it was (VACUUM FULL); `altered`: each is a new version with the cursor that it had. */
  rewrite(which: number, how: 'moved' | 'altered'): void {
    const held = this.#held[which % this.#held.length];
    if (this.#isLocked(held)) return;
    held.leaf = { ...held.leaf, filenode: ++this.#lastOid };
    if (how === 'moved') return;
    const id = this.#alone();
    for (const row of held.rows) {
      const versions = this.#rows.get(row) ?? [];
      const last = versions.findLast((version) => this.#committedAt.has(version.id));
      if (last && !last.deleted) versions.push({ ...last, number: this.#numbers++, id });
    }
  }

  /** Dropped and made again under its name. */
  recreate(table: number): void {
    const old = this.#held.filter((held) => held.table === table);
    if (old.some((held) => this.#isLocked(held))) return;
    this.#held = [...this.#held.filter((held) => held.table !== table), this.#made(table)];
  }

  #made(table: number | null): Held {
    const row = this.#lastRow++;
    const cursor = this.counted ? 0n : this.clock - 3_600_000_000n;
    this.#rows.set(row, [{ row, number: this.#numbers++, id: this.#alone(), cursor, deleted: false }]);
    const oid = ++this.#lastOid;
    return { leaf: { oid, filenode: oid }, table, rows: [row] };
  }

  #isLocked({ rows }: Held): boolean {
    return rows.some((row) => this.#rows.get(row)?.some(({ id }) => this.#running.has(id)));
  }

  /** The id of a transaction that is over at once. */
  #alone(): bigint {
    const id = this.#nextId;
    this.#nextId = after(id);
    this.#end([id], true);
    return id;
  }

  /** Everybody commits and goes. */
  settle(): void {
    while (this.#prepared.length > 0) this.endPrepared(0, true);
    for (let session = 0; session < SESSIONS; session++) {
      this.end(session, true);
      this.endMessage(session);
    }
  }
}
