/** The state store's tables as Kysely sees them; migrations/ says what each column means. A bigint is read as text, exactly. */

import type { ColumnType, Generated } from 'kysely';
import type { Bounds, Broken, RawFile, Repeats, UnfitCounts, UploadRef, WrittenColumn } from '../model/run.ts';
import type { ChunkPlanJson, MarkJson } from './mark-json.ts';
import type { LeaseKind } from './run-kinds.ts';

/** What a run does. */
export type RunKind = 'export' | 'compact' | 'reconcile';

export type RunState = 'planned' | 'prepared' | 'committed' | 'failed' | 'abandoned';

export type RunError = { code: string; message: string; hint?: string; column?: string; key?: string };

// A JavaScript number is exact up to 2^53 only: a bigint travels as text.
type Bigint = ColumnType<string, bigint | number, bigint | number>;
/** Written as JSON text: pg would make a Postgres array of a JavaScript array. */
type Json<T> = ColumnType<T, string | null, string | null>;
/** Never selected as it is: instant() in sql.ts makes exact text of it. */
type Instant = ColumnType<never, unknown, unknown>;

export type StateTables = {
  store: { one: Generated<boolean>; id: Generated<string>; created_at: Generated<Instant> };
  tidemark_migration: { version: number; name: string; applied_at: Generated<Instant> };
  source_table: {
    id: Generated<number>;
    schema_name: string;
    table_name: string;
    folder: string;
    columns: Json<WrittenColumn[] | null>;
    mark: Json<MarkJson | null>;
    mark_run: Bigint | null;
    unfit: Json<UnfitCounts>;
    raw_files: Bigint;
    raw_bytes: Bigint;
    raw_rows: Bigint;
    last_checked_at: Instant | null;
    failed_run: Bigint | null;
    paused_at: Instant | null;
    paused_by: string | null;
  };
  run: {
    run: Bigint;
    kind: RunKind;
    table_id: number;
    state: RunState;
    token: Bigint;
    prefix: string | null;
    load_date: Instant | null;
    snapshot_at: Instant | null;
    is_full: boolean | null;
    started_at: Generated<Instant>;
    prepared_at: Instant | null;
    finished_at: Instant | null;
    rows: Bigint | null;
    late_rows: Bigint | null;
    files: number | null;
    bytes: Bigint | null;
    unfit: Json<UnfitCounts | null>;
    next_mark: Json<MarkJson | null>;
    next_columns: Json<WrittenColumn[] | null>;
    failed_at: Instant | null;
    error: Json<RunError | null>;
    reason: string | null;
    repeats: Json<Repeats | null>;
    broken: Json<Broken[] | null>;
    chunk_plan: Json<ChunkPlanJson | null>;
  };
  run_chunk: {
    run: Bigint;
    chunk: number;
    rows: Bigint;
    watermark: string | null;
    unfit: Json<UnfitCounts>;
    files: Json<RawFile[]>;
    gone: Json<number[]>;
    broken: Json<Broken[] | null>;
    noted_at: Generated<Instant>;
  };
  raw_file: {
    run: Bigint;
    part: number;
    key: string;
    rows: Bigint;
    bytes: Bigint;
    upload: Json<UploadRef>;
    bounds: Json<Record<string, Bounds>>;
  };
  archived_runs: {
    table_id: number;
    from_run: Bigint;
    to_run: Bigint;
    key: string;
    runs: number;
    files: number;
    rows: Bigint;
    bytes: Bigint;
    from_at: Instant;
    since: Instant;
    as_of: Instant | null;
    full_run: Bigint | null;
    full_at: Instant | null;
    archived_at: Generated<Instant>;
  };
  staged_table: {
    table_id: number;
    version: Bigint | null;
    through_run: Bigint | null;
    rows: Bigint | null;
    files: Bigint | null;
    bytes: Bigint | null;
    checked_at: Instant | null;
    compacted_at: Instant | null;
    optimized_at: Instant | null;
    failed_run: Bigint | null;
  };
  lease: {
    table_id: number;
    kind: LeaseKind;
    holder: string | null;
    token: Bigint | null;
    claim: string | null;
    acquired_at: Instant | null;
    expires_at: Instant | null;
  };
};
