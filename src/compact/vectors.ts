/** A table's deletion vectors: read into `gone`, and written for files whose rows were changed. */

import { randomUUID } from 'node:crypto';
import type { DuckConnection } from '../duckdb/duck.ts';
import type { Lake } from '../lake/lake.ts';
import type { AddFile } from './delta/actions.ts';
import { decodeVector, encodeVectors, vectorPath } from './delta/deletion-vector.ts';
import { withVector } from './delta/statistics.ts';
import { addGone, type LiveFile } from './live-files.ts';

/** Adds the rows that the files' deletion vectors delete to `gone`. */
export async function loadVectors(
  lake: Lake,
  connection: DuckConnection,
  root: string,
  files: LiveFile[],
  signal: AbortSignal,
): Promise<void> {
  for (const { file, deletionVector } of files) {
    if (!deletionVector) continue;
    const name = vectorPath(deletionVector);
    const bytes = name === null ? null : await lake.get(`${root}/${name}`, signal);
    await addGone(connection, file, decodeVector(deletionVector, bytes), signal);
  }
}

/** Writes one file with a vector for each of `files`: its rows in `hits`, and those in `gone` before. Returns the files with them. */
export async function markRows(
  lake: Lake,
  connection: DuckConnection,
  root: string,
  files: LiveFile[],
  now: number,
  signal: AbortSignal,
): Promise<AddFile[]> {
  if (files.length === 0) return [];
  const positions: number[][] = [];
  for (const { file } of files) {
    const rows = await connection.rows<{ row: bigint }>(
      `SELECT "row" FROM hits WHERE file = ${file} UNION SELECT "row" FROM gone WHERE file = ${file} ORDER BY 1`,
      signal,
    );
    positions.push(rows.map(({ row }) => Number(row)));
  }
  const { file: body, refs } = encodeVectors(positions, randomUUID());
  await lake.put(`${root}/${vectorPath(refs[0])}`, body, signal);
  return files.map(({ file: _, rows: __, statistics: ___, ...add }, i) => ({
    ...add,
    modificationTime: now,
    dataChange: true,
    stats: add.stats && withVector(add.stats),
    deletionVector: refs[i],
  }));
}
