/**
 * The run that brings deleted rows to raw/. Invariant: it is planned, prepared and committed as an export's, so that the next holder of the
 * lease repairs what a dead process left; the mark stays as it is.
 */

import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { DuckConnection } from '../duckdb/duck.ts';
import { ident, text } from '../duckdb/literal.ts';
import { loadDateOf } from '../export/open-writer.ts';
import type { PlannedRun } from '../export/raw-writer.ts';
import { completeRun } from '../export/recover.ts';
import type { ExportDeps } from '../export/work.ts';
import type { Lake, UploadOwner } from '../lake/lake.ts';
import { ADDED_COLUMNS } from '../model/column-names.ts';
import type { Mark, Micros } from '../model/mark.ts';
import { type PreparedFile, rawKey, type WrittenColumn } from '../model/run.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import type { Lease } from '../state/leases.ts';
import type { MissingKeys } from './missing-keys.ts';

export type Deletes = {
  settings: TableSettings;
  lease: Lease;
  mark: Mark;
  /** As the last export wrote them. */
  columns: WrittenColumn[];
  keys: MissingKeys;
  /** The snapshot's clock. */
  at: Micros;
  onPlanned: (planned: PlannedRun) => void;
};

/** Resolves once the run is committed; its number. If it throws, what is there of the run is to be cleaned up. */
export async function writeDeletes(
  deps: ExportDeps,
  connection: DuckConnection,
  deletes: Deletes,
  signal: AbortSignal,
): Promise<bigint> {
  const { state, lake, step } = deps;
  const { lease, mark, columns, keys, at } = deletes;
  const plan = { loadDate: loadDateOf(at), snapshotAt: at, full: false };
  const planned = await state.plan(lease, plan, signal);
  deletes.onPlanned(planned);
  const { run, prefix } = planned;
  await step('planned');
  const local = await writeLocal(deps, connection, deletes, run, signal);
  const file = await upload(lake, local, rawKey(prefix, 0), { run, token: lease.token }, signal);
  await rm(local);
  await step('uploaded');
  const rows = Number(keys.rows);
  const files = [{ ...file, part: 0, rows, bounds: {} }];
  const prepared = { files, mark, rows: keys.rows, lateRows: 0n, unfit: {}, columns };
  await state.prepare(lease, run, prepared, signal);
  await step('prepared');
  await completeRun(deps, lease, { run, token: lease.token, prepared }, signal);
  return run;
}

/** The raw file: the key's columns alone, and what is added to every raw row. */
async function writeLocal(
  { createdBy }: ExportDeps,
  connection: DuckConnection,
  { settings, keys, at }: Deletes,
  run: bigint,
  signal: AbortSignal,
): Promise<string> {
  const path = `${keys.path}.raw`;
  const added = [
    `${run}::BIGINT AS ${ident(ADDED_COLUMNS.run)}`,
    `'d' AS ${ident(ADDED_COLUMNS.op)}`,
    `make_timestamptz(${at}) AS ${ident(ADDED_COLUMNS.at)}`,
  ];
  const metadata = {
    'tidemark.table': displayName(settings.name),
    'tidemark.run': String(run),
    'tidemark.full': 'false',
    'tidemark.created_by': createdBy,
  };
  const pairs = Object.entries(metadata).map(([name, value]) => `${text(name)}: ${text(value)}`);
  const codec = settings.compression === 'none' ? 'uncompressed' : settings.compression;
  const select = `SELECT ${[...keys.columns.map(({ name }) => ident(name)), ...added].join(', ')} FROM read_parquet(${text(keys.path)})`;
  const options = `FORMAT parquet, COMPRESSION ${codec}, KV_METADATA {${pairs.join(', ')}}`;
  await connection.run(`COPY (${select}) TO ${text(path)} (${options})`, signal);
  return path;
}

const CHUNK_BYTES = 2 ** 20;

/** Every byte is in the lake when it resolves, and none visible. */
async function upload(
  lake: Lake,
  path: string,
  key: string,
  owner: UploadOwner,
  signal: AbortSignal,
): Promise<PreparedFile> {
  const upload = await lake.startUpload(key, owner, signal);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) await upload.write(chunk);
    return await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
