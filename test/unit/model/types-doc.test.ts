import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parquetColumns } from '../../../src/export/parquet-columns.ts';
import { typeName } from '../../../src/model/column-type.ts';
import type { LakeType } from '../../../src/model/lake-type.ts';
import type { ParquetType } from '../../../src/parquet/schema.ts';
import { ALL_TYPE_CASES } from '../../postgres/types/type-cases.ts';

const doc = await readFile(path.join(import.meta.dirname, '../../../docs/types.md'), 'utf8');
const rows = doc
  .slice(doc.indexOf('| Postgres | In the lake'), doc.indexOf('Enums and every other'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, postgres, lake, parquet]) => ({
    types: [...postgres.matchAll(/`([^`]+)`/g)].map((match) => match[1]),
    lake: lake.replaceAll('`', ''),
    parquet,
  }));

function parquetText({ physical, width, logical }: ParquetType): string {
  const names = {
    boolean: 'BOOLEAN',
    int32: 'INT32',
    int64: 'INT64',
    float: 'FLOAT',
    double: 'DOUBLE',
    bytes: 'BYTE_ARRAY',
  };
  const stored = physical === 'fixed' ? `FIXED(${width})` : names[physical];
  if (logical.kind === 'none') return stored;
  if (logical.kind === 'int') return `${stored}, INT(${logical.bits})`;
  if (logical.kind === 'timestamp') return `${stored}, TIMESTAMP(MICROS${logical.utc ? ', UTC' : ''})`;
  return `${stored}, ${logical.kind.toUpperCase()}`;
}

/** The inverse of typeName, for what the page names. */
function lakeType(name: string): LakeType {
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(name);
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  if (name.startsWith('timestamp')) return { kind: 'timestamp', utc: name === 'timestamp' };
  return { kind: name as 'string' };
}

test('the page names every type that the round trip tests, as what it becomes there', () => {
  const documented = Object.fromEntries(rows.flatMap(({ types, lake }) => types.map((type) => [type, lake])));
  const tested = Object.fromEntries(ALL_TYPE_CASES.map(({ type, lake }) => [type, lake]));
  for (const [type, lake] of Object.entries(documented)) expect([type, tested[type]]).toEqual([type, lake]);
  const plain = Object.keys(tested).filter((type) =>
    /^"?(bool|int|smallint|bigint|oid|xid|cid|real|double|numeric|money|text|name|"char|bytea|uuid|json|xml$|date|time|interval|inet|tsv|pg_lsn|reg[cpt]|point)/.test(
      type,
    ),
  );
  const undocumented = plain.filter((type) => !/[[(]|range/.test(type) && !(type in documented));
  expect(undocumented).toEqual(['regconfig']);
});

test('and each lake type as the Parquet type that is written', () => {
  for (const { lake, parquet } of rows) {
    const column = {
      source: 'c',
      name: 'c',
      lake: lakeType(lake),
      selection: 'plain',
      wire: 'text',
      policy: 'fail',
      shadow: null,
      equality: null,
    } as const;
    expect([lake, typeName(column.lake)]).toEqual([lake, lake]);
    expect([lake, parquetText(parquetColumns([column])[0].type)]).toEqual([lake, parquet]);
  }
});
