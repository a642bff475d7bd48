/**
 * Leases: the right to work on a table. Invariant: a token is given to one holder once, and a later holder's is greater;
 * who no longer has the token in the row commits nothing. Times are of the state database's clock alone.
 */

import { sql } from 'kysely';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import type { Run, WrittenColumn } from '../model/run.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { StateTx } from './database.ts';
import { type MarkJson, markFromJson } from './mark-json.ts';
import type { LeaseKind } from './run-kinds.ts';
import { instant, later, next, now, tableIn } from './sql.ts';
import { unfinishedRuns } from './unfinished.ts';

export type Lease = {
  kind: LeaseKind;
  table: TableName;
  folder: string;
  /** Of the table's row in the state store. */
  tableId: number;
  token: bigint;
  /** What the holder's own runs are, where that is not what the lease is called. */
  runs?: 'reconcile';
};

export type Acquired = {
  state: 'acquired';
  lease: Lease;
  /** Null: nothing was exported yet. */
  mark: Mark | null;
  /** As the last run wrote them. */
  columns: WrittenColumn[] | null;
  /** To be rolled forward (prepared) or abandoned (planned) before anything else; at most one. */
  unfinished: Run[];
};

/** Another process holds the lease, or somebody paused the table: `holder` says who. Instants are ISO 8601, UTC. */
export type Held = { state: 'held'; holder: string } & (
  | { expiresAt: string; pausedSince?: undefined }
  | { expiresAt: null; pausedSince: string }
);

export type Wanted = { name: TableName; folder: string };

/** What one acquire() is: the same in each of its repeats. */
export type Claim = { kind: LeaseKind; holder: string; id: string; ttlMs: number };

/** Takes what is free of `wanted`, in the order of `wanted`. Throws FOLDER_CLASH when a folder is another table's. */
export async function acquireLeases(tx: StateTx, wanted: Wanted[], claim: Claim): Promise<(Acquired | Held)[]> {
  let rows = await lockRows(tx, wanted, claim.kind);
  if (rows.length < wanted.length) {
    await createTables(tx, wanted);
    await createLeases(tx, wanted, claim.kind);
    rows = await lockRows(tx, wanted, claim.kind);
  }
  const byFolder = new Map(rows.map((row) => [row.wanted, row]));
  for (const want of wanted) refuseClash(want, byFolder.get(want.folder)!);
  const taken = await takeFree(tx, rows, claim);
  const unfinished = await unfinishedRuns(tx, claim.kind, [...taken.keys()]);
  return wanted.map(({ name, folder }) => {
    const row = byFolder.get(folder)!;
    const got = taken.get(row.id);
    if (row.paused_by !== null)
      return { state: 'held', holder: row.paused_by, expiresAt: null, pausedSince: row.paused_at! };
    if (!got) return { state: 'held', holder: row.holder!, expiresAt: row.expires_at! };
    return {
      state: 'acquired',
      lease: { kind: claim.kind, table: name, folder, tableId: row.id, token: BigInt(got.token) },
      mark: got.mark && markFromJson(got.mark),
      columns: got.columns,
      unfinished: unfinished.get(row.id) ?? [],
    };
  });
}

type LockedRow = {
  wanted: string;
  id: number;
  schema_name: string;
  table_name: string;
  folder: string;
  holder: string | null;
  expires_at: string | null;
  paused_by: string | null;
  paused_at: string | null;
};

// In the order of their ids: two processes that want the same tables in different orders would deadlock.
async function lockRows({ db, schema }: StateTx, wanted: Wanted[], kind: LeaseKind): Promise<LockedRow[]> {
  const query = sql<LockedRow>`
    select w.folder as wanted, t.id, t.schema_name, t.table_name, t.folder, l.holder,
           ${instant('l.expires_at')} as expires_at, t.paused_by, ${instant('t.paused_at')} as paused_at
    from unnest(${wanted.map(({ folder }) => folder)}::text[]) as w(folder)
    join ${tableIn(schema, 'source_table')} t on lower(t.folder collate "C") = lower(w.folder collate "C")
    join ${tableIn(schema, 'lease')} l on l.table_id = t.id and l.kind = ${kind}
    order by l.table_id
    for update of l`;
  return (await query.execute(db)).rows;
}

/** Writes down the tables that are not known yet. */
export async function createTables({ db, schema }: StateTx, wanted: Wanted[]): Promise<void> {
  const list = JSON.stringify(wanted.map(({ name, folder }) => ({ ...name, folder })));
  await sql`
    insert into ${tableIn(schema, 'source_table')} (schema_name, table_name, folder)
    select w.schema, w."table", w.folder
    from jsonb_to_recordset(${list}::jsonb) as w(schema text, "table" text, folder text)
    where not exists (select from ${tableIn(schema, 'source_table')} t where lower(t.folder collate "C") = lower(w.folder collate "C"))
    order by lower(w.folder collate "C")
    on conflict do nothing`.execute(db);
}

async function createLeases({ db, schema }: StateTx, wanted: Wanted[], kind: LeaseKind): Promise<void> {
  const folders = wanted.map(({ folder }) => folder);
  await sql`
    insert into ${tableIn(schema, 'lease')} (table_id, kind)
    select t.id, ${kind}
    from ${tableIn(schema, 'source_table')} t
    join unnest(${folders}::text[]) as w(folder) on lower(t.folder collate "C") = lower(w.folder collate "C")
    order by t.id
    on conflict do nothing`.execute(db);
}

/** Throws FOLDER_CLASH unless the row is the wanted table's. */
export function refuseClash(want: Wanted, row: Pick<LockedRow, 'schema_name' | 'table_name' | 'folder'>): void {
  const owner = { schema: row.schema_name, table: row.table_name };
  if (row.folder === want.folder && owner.schema === want.name.schema && owner.table === want.name.table) return;
  throw new TidemarkError('FOLDER_CLASH', `folder ${row.folder} of the lake belongs to ${displayName(owner)}`, {
    table: displayName(want.name),
    hint: `give ${displayName(want.name)} another folder with \`as:\``,
  });
}

type TakenRow = { table_id: number; token: string; mark: MarkJson | null; columns: WrittenColumn[] | null };

// A statement of its own, after the locks: its snapshot then holds what the holder before committed last.
async function takeFree({ db, schema }: StateTx, rows: LockedRow[], claim: Claim): Promise<Map<number, TakenRow>> {
  const free = rows.filter((row) => row.paused_by === null);
  const query = sql<TakenRow>`
    update ${tableIn(schema, 'lease')} l
    set holder = ${claim.holder}, claim = ${claim.id}::uuid, token = ${next(schema, 'lease_token')},
        acquired_at = ${now}, expires_at = ${later(claim.ttlMs)}
    from ${tableIn(schema, 'source_table')} t
    where l.table_id = any(${free.map(({ id }) => id)}::int[]) and l.kind = ${claim.kind} and t.id = l.table_id
      and (l.holder is null or l.expires_at <= ${now} or l.claim = ${claim.id}::uuid)
    returning l.table_id, l.token, t.mark, t.columns`;
  return new Map((await query.execute(db)).rows.map((row) => [row.table_id, row]));
}

/** Leases whose token is in the store, with their rows locked. An expired lease that nobody took over is still one's own. */
function own({ schema }: StateTx, leases: readonly Lease[]) {
  return sql`
    select l.table_id, l.kind, l.token
    from unnest(${leases.map((l) => l.tableId)}::int[], ${leases.map((l) => l.kind)}::text[],
                ${leases.map((l) => String(l.token))}::bigint[]) as m(table_id, kind, token)
    join ${tableIn(schema, 'lease')} l on l.table_id = m.table_id and l.kind = m.kind and l.token = m.token
    order by l.table_id, l.kind
    for update of l`;
}

/** Prolongs the leases; returns those that are lost. */
export async function renewLeases(tx: StateTx, leases: readonly Lease[], ttlMs: number): Promise<Lease[]> {
  const query = sql<{ token: string }>`
    with own as materialized (${own(tx, leases)})
    update ${tableIn(tx.schema, 'lease')} l set expires_at = ${later(ttlMs)}
    from own where l.table_id = own.table_id and l.kind = own.kind
    returning l.token`;
  const kept = new Set((await query.execute(tx.db)).rows.map(({ token }) => token));
  return leases.filter(({ token }) => !kept.has(String(token)));
}

/** Gives the leases back; those that are lost already are left to their new holders. */
export async function releaseLeases(tx: StateTx, leases: readonly Lease[]): Promise<void> {
  await sql`
    with own as materialized (${own(tx, leases)})
    update ${tableIn(tx.schema, 'lease')} l
    set holder = null, claim = null, token = null, acquired_at = null, expires_at = null
    from own where l.table_id = own.table_id and l.kind = own.kind`.execute(tx.db);
}

/** Locks the lease's row, so that nobody takes it over before this transaction ends; whether it is still ours. */
export async function holdsLease({ db }: StateTx, lease: Lease): Promise<boolean> {
  const row = await db
    .selectFrom('lease')
    .select('token')
    .where('table_id', '=', lease.tableId)
    .where('kind', '=', lease.kind)
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row?.token === String(lease.token);
}

export function leaseLost(lease: Lease): TidemarkError {
  return new TidemarkError(
    'LEASE_LOST',
    'the lease is gone: another process took it over, or somebody released it; nothing more of this run is committed',
    {
      table: displayName(lease.table),
      hint: 'nobody released it by `tidemark lease --release`? Then this process stood still for longer than the lease: raise `defaults.lease` if that is normal here',
    },
  );
}
