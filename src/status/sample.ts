/**
 * Some rows of a staged table, as text. Invariant: one sample is made at a time, of few files, within limits of bytes, time and
 * characters; whoever asks for the same version again is given what was found.
 */

import type { AddFile, DeltaColumn } from '../compact/delta/actions.ts';
import { decodeVector, vectorPath } from '../compact/delta/deletion-vector.ts';
import { readSnapshot } from '../compact/delta/read-log.ts';
import type { Engine } from '../compact/open-engine.ts';
import { ident, text } from '../duckdb/literal.ts';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';

const ROWS = 20;
const CHARACTERS = 200;
const COLUMNS = 100;
const FILES = 4;
/** Files that lie elsewhere are fetched as a whole. */
const FETCH_BYTES = 64e6;
const LIMIT_MS = 20_000;
const KEPT = 20;

/** A value is null, or its text; `…` at its end: it is longer. */
export type Sample = {
  version: number;
  columns: string[];
  /** Columns beyond these are left out. */
  more: number;
  rows: (string | null)[][];
};

export class Samples {
  readonly #lake: Lake;
  readonly #engine: () => Promise<Engine>;
  readonly #kept = new Map<string, Sample>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(lake: Lake, engine: () => Promise<Engine>) {
    this.#lake = lake;
    this.#engine = engine;
  }

  /** `version`: the newest one, as the state store knows it. Null: there is no such table. Throws STAGED_*, LAKE_*, SPOOL_*, QUERY_FAILED. */
  async get(folder: string, version: bigint, signal: AbortSignal): Promise<Sample | null> {
    const key = `${folder} ${version}`;
    const limit = AbortSignal.timeout(LIMIT_MS);
    const until = AbortSignal.any([signal, limit]);
    const make = async () => {
      const known = this.#kept.get(key);
      if (known) return known;
      until.throwIfAborted();
      const made = await this.#make(folder, until);
      if (made) this.#kept.set(key, made);
      if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
      return made;
    };
    const mine = this.#last.then(make, make);
    this.#last = mine.catch(() => {});
    try {
      return await mine;
    } catch (cause) {
      if (!limit.aborted) throw cause;
      throw new TidemarkError('QUERY_FAILED', `no sample was ready within ${LIMIT_MS / 1000} s`, { cause });
    }
  }

  async #make(folder: string, signal: AbortSignal): Promise<Sample | null> {
    await using engine = await this.#engine();
    const lake = this.#lake;
    const root = `staged/${folder}`;
    const snapshot = await readSnapshot({ lake, root, checkpoints: engine.checkpoints }, signal);
    if (snapshot === null) return null;
    const columns = snapshot.metadata.columns.slice(0, COLUMNS);
    const rows: (string | null)[][] = [];
    for (const file of choose([...snapshot.files.values()], lake.localPath(root) !== null, folder)) {
      rows.push(...(await rowsOf(engine, lake, root, file, columns, ROWS - rows.length, signal)));
      if (rows.length >= ROWS) break;
    }
    return {
      version: Number(snapshot.version),
      columns: columns.map(({ name }) => name),
      more: snapshot.metadata.columns.length - columns.length,
      rows,
    };
  }
}

/** The largest of those that are quickly here, and some more: a small table may have few rows in each of several files. */
function choose(files: AddFile[], local: boolean, folder: string): AddFile[] {
  const bySize = files.sort((a, b) => b.size - a.size);
  if (local || files.length === 0) return bySize.slice(0, FILES);
  const chosen: AddFile[] = [];
  let bytes = 0;
  for (const file of bySize) {
    if (chosen.length >= FILES || bytes + file.size > FETCH_BYTES) continue;
    chosen.push(file);
    bytes += file.size;
  }
  if (chosen.length > 0) return chosen;
  const least = bySize.at(-1)!.size;
  throw new TidemarkError('QUERY_FAILED', `its smallest file has ${least} bytes: too many for a look`, {
    hint: `tidemark query "select * from ${folder} limit ${ROWS}"`,
  });
}

async function rowsOf(
  engine: Engine,
  lake: Lake,
  root: string,
  file: AddFile,
  columns: DeltaColumn[],
  most: number,
  signal: AbortSignal,
): Promise<(string | null)[][]> {
  await using there = await engine.spool.read(`${root}/${file.path}`, { bytes: file.size }, signal);
  const left = await firstRows(lake, root, file, most, signal);
  const connection = await (await engine.duck()).connect();
  const from = `read_parquet(${text(there.path)}, file_row_number = true)`;
  const described = await connection.rows<{ column_name: string }>(`DESCRIBE FROM ${from}`, signal);
  // The table may have columns that this file is too old for.
  const has = new Set(described.map(({ column_name }) => column_name));
  const values = columns.map((column, i) => `${has.has(column.name) ? valueText(column) : 'NULL'} AS c${i}`);
  const where = left === null ? '' : ` WHERE file_row_number IN (${left.join(', ')})`;
  const rows = await connection.rows<Record<string, string | null>>(
    `SELECT ${values.join(', ')} FROM ${from}${where} LIMIT ${most}`,
    signal,
  );
  return rows.map((row) => columns.map((_, i) => short(row[`c${i}`])));
}

/** The places of the first rows that are not deleted; null: none is. */
async function firstRows(
  lake: Lake,
  root: string,
  { deletionVector }: AddFile,
  most: number,
  signal: AbortSignal,
): Promise<number[] | null> {
  if (deletionVector === null) return null;
  const path = vectorPath(deletionVector);
  const bytes = path === null ? null : await lake.get(`${root}/${path}`, signal);
  const gone = new Set(decodeVector(deletionVector, bytes).map(Number));
  const places: number[] = [];
  for (let place = 0; places.length < most; place++) if (!gone.has(place)) places.push(place);
  return places;
}

function valueText({ name, type }: DeltaColumn): string {
  const value = ident(name);
  const whole = type === 'binary' ? `'\\x' || lower(hex(${value}))` : `CAST(${value} AS VARCHAR)`;
  return `left(${whole}, ${CHARACTERS + 1})`;
}

function short(value: string | null): string | null {
  if (value === null || value.length <= CHARACTERS) return value;
  // By characters: half a pair of surrogates is none.
  const characters = [...value];
  return characters.length <= CHARACTERS ? value : `${characters.slice(0, CHARACTERS).join('')} …`;
}
