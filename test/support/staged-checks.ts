/** What must hold of every live file of a staged table, asked of the file itself. */

import { expect } from 'vitest';
import { decodeVector, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { parseStatistics } from '../../src/compact/delta/statistics.ts';
import { withExactBounds } from '../../src/compact/exact-bounds.ts';
import { duckTypeOf } from '../../src/compact/types.ts';
import { ident, text } from '../../src/duckdb/literal.ts';
import type { Compactor } from './compactor.ts';
import { never } from './state.ts';

const UNBOUNDED = ['boolean', 'binary'];

/** Every value lies within its file's bounds, and what is counted is right. `key`: columns that must have bounds, unless a value has none. */
export async function checkStatistics(compactor: Compactor, folder: string, key: string[]): Promise<void> {
  const { files, metadata } = await compactor.snapshot(folder);
  const [connection] = await compactor.deps.connect();
  for (const add of files.values()) {
    await using local = await compactor.spool.read(`staged/${folder}/${add.path}`, { bytes: add.size }, never);
    // As the merge reads them, which knows the first key column's bounds more exactly.
    const statistics = withExactBounds(parseStatistics(add.stats, metadata.columns), key, add)!;
    const asRead = parseStatistics(add.stats, metadata.columns)!;
    expect(statistics, add.path).not.toBeNull();
    const from = `FROM read_parquet(${text(local.path)})`;
    const there = await connection.rows<{ column_name: string; column_type: string }>(
      `DESCRIBE SELECT * ${from}`,
      never,
    );
    const types = new Map(there.map((each) => [each.column_name, each.column_type]));
    const facts = [`count(*) AS "rows"`];
    const outside = (name: string, duck: string, side: 'min' | 'max') =>
      [statistics, asRead]
        .map((each) => each[side].get(name))
        .map((bound) =>
          bound === undefined ? 'false' : `${ident(name)} ${side === 'min' ? '<' : '>'} ${text(bound)}::${duck}`,
        )
        .join(' OR ');
    for (const [i, { name, type }] of metadata.columns.entries()) {
      if (!types.has(name)) continue;
      // No file is left with a type that the table has no more.
      expect({ name, type: types.get(name) }).toEqual({ name, type: duckTypeOf(type) });
      const duck = duckTypeOf(type);
      facts.push(`count(*) FILTER (${ident(name)} IS NULL) AS nulls${i}`);
      facts.push(`count(*) FILTER (${outside(name, duck, 'min')}) AS below${i}`);
      facts.push(`count(*) FILTER (${outside(name, duck, 'max')}) AS above${i}`);
      // Rounded up to milliseconds it would lie in the year 10000.
      if (duck === 'TIMESTAMP WITH TIME ZONE')
        facts.push(`count(*) FILTER (${ident(name)} > '9999-12-31 23:59:59.999'::TIMESTAMPTZ) AS infinite${i}`);
      // Nothing sorts after it that is not longer.
      if (duck === 'VARCHAR')
        facts.push(`count(*) FILTER (starts_with(${ident(name)}, repeat(chr(1114111), 64))) AS infinite${i}`);
      if (duck === 'FLOAT' || duck === 'DOUBLE')
        facts.push(`count(*) FILTER (NOT isfinite(${ident(name)})) AS infinite${i}`);
    }
    const [found] = await connection.rows<Record<string, bigint>>(`SELECT ${facts} ${from}`, never);
    expect(Number(found.rows), 'numRecords').toBe(statistics.rows);
    for (const [i, { name, type }] of metadata.columns.entries()) {
      if (!types.has(name)) continue;
      const told = { nulls: statistics.nullCount.get(name), below: 0, above: 0 };
      const nulls = told.nulls === undefined ? undefined : Number(found[`nulls${i}`]);
      expect({ name, nulls, below: Number(found[`below${i}`]), above: Number(found[`above${i}`]) }).toEqual({
        name,
        ...told,
      });
      const bounded = statistics.min.has(name) && statistics.max.has(name);
      const mustBe = key.includes(name) && !UNBOUNDED.includes(String(type)) && !found[`infinite${i}`];
      if (mustBe) expect({ name, bounded, stats: add.stats }).toMatchObject({ bounded: true });
    }
    if (add.deletionVector) {
      const name = vectorPath(add.deletionVector);
      const bytes = name === null ? null : await compactor.deps.lake.get(`staged/${folder}/${name}`, never);
      const gone = [...decodeVector(add.deletionVector, bytes)].map(Number);
      expect(gone).toHaveLength(add.deletionVector.cardinality);
      expect(gone.every((row) => row < statistics.rows)).toBe(true);
      expect(statistics.tight).toBe(false);
    }
  }
}
