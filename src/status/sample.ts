/**
 * Some rows of a staged table, as text. Invariant: one sample is made at a time, of one file, within limits of bytes, time and
 * characters; whoever asks for the same version again is given what was found.
 */

import type { Engine } from '../cli/open-engine.ts';
import { decodeVector, vectorPath } from '../compact/delta/deletion-vector.ts';
import { readSnapshot } from '../compact/delta/read-log.ts';
import { ident, text } from '../duckdb/literal.ts';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';

const ROWS = 20;
const CHARACTERS = 200;
const COLUMNS = 100;
/** A file that lies elsewhere is fetched as a whole. */
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

  /** `version`: the newest one, as the state store knows it. Null: the table has no file with rows. Throws STAGED_*, LAKE_*, SPOOL_*, QUERY_FAILED. */
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
    const local = lake.localPath(root) !== null;
    const files = [...(snapshot?.files.values() ?? [])].sort((a, b) => a.size - b.size);
    if (snapshot === null || files.length === 0) return null;
    // The largest of those that are quickly here: the smallest often hold a handful of rows.
    const file = local ? files.at(-1)! : files.findLast(({ size }) => size <= FETCH_BYTES);
    if (file === undefined) {
      throw new TidemarkError(
        'QUERY_FAILED',
        `its smallest file has ${files[0].size} bytes, which is more than a look is worth`,
        {
          hint: `tidemark query "select * from ${folder} limit 20"`,
        },
      );
    }
    await using there = await engine.spool.read(`${root}/${file.path}`, { bytes: file.size }, signal);
    const vector = file.deletionVector;
    const vectorFile = vector && vectorPath(vector);
    const gone = vector
      ? decodeVector(vector, vectorFile === null ? null : await lake.get(`${root}/${vectorFile}`, signal)).slice(
          0,
          100_000,
        )
      : [];
    const connection = await (await engine.duck()).connect();
    const from = `read_parquet(${text(there.path)}, file_row_number = true)`;
    // The table may have columns that this file is too old for.
    const inFile = await connection.rows<{ column_name: string }>(
      `DESCRIBE FROM read_parquet(${text(there.path)})`,
      signal,
    );
    const has = new Set(inFile.map(({ column_name }) => column_name));
    const names = snapshot.metadata.columns.map(({ name }) => name);
    const shown = names.slice(0, COLUMNS);
    const value = (name: string, i: number) =>
      `${has.has(name) ? `left(CAST(${ident(name)} AS VARCHAR), ${CHARACTERS + 1})` : 'NULL'} AS c${i}`;
    const left = gone.length > 0 ? ` WHERE file_row_number NOT IN (${gone.join(',')})` : '';
    const rows = await connection.rows<Record<string, string | null>>(
      `SELECT ${shown.map(value).join(', ')} FROM ${from}${left} LIMIT ${ROWS}`,
      signal,
    );
    const short = (each: string | null) =>
      each !== null && each.length > CHARACTERS ? `${each.slice(0, CHARACTERS)} …` : each;
    return {
      version: Number(snapshot.version),
      columns: shown,
      more: names.length - shown.length,
      rows: rows.map((row) => shown.map((_, i) => short(row[`c${i}`]))),
    };
  }
}
