/** A Delta table of every type that staged tables have, written by our own writer. Values stand at the edges of what statistics can say. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { AddFile, DeltaColumn, DeltaType, Protocol } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { fileStatistics, type WrittenFile } from '../../src/compact/delta/file-statistics.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { ident, text } from '../../src/duckdb/literal.ts';
import { changes, type DeltaPlace, never } from '../compact/delta-support.ts';
import type { TextValue } from './delta-support.ts';

const array = (elementType: DeltaType): DeltaType => ({ type: 'array', elementType, containsNull: true });

const X31 = 'x'.repeat(31);
const X32 = 'x'.repeat(32);
const EMOJI = '😀';

/** A column and its values in a file: of three files, in the text of delta-support.ts. */
export type SampleColumn = { name: string; type: DeltaType; files: [TextValue[], TextValue[], TextValue[]] };

export const SAMPLE: SampleColumn[] = [
  {
    name: 'id',
    type: 'integer',
    files: [
      ['1', '2', '3', '4'],
      ['5', '6', '7', '8'],
      ['9', '10', '11', '12'],
    ],
  },
  {
    name: 'bool',
    type: 'boolean',
    files: [
      ['true', 'false', 'true', null],
      ['true', 'true', 'true', 'true'],
      ['false', 'false', 'false', 'false'],
    ],
  },
  {
    name: 'short',
    type: 'short',
    files: [
      ['-32768', '-1', '0', null],
      ['1', '2', '3', '4'],
      ['5', '32766', '32767', '32767'],
    ],
  },
  {
    name: 'long',
    type: 'long',
    files: [
      ['-9223372036854775808', '-9223372036854775807', '-9007199254740993', null],
      ['9007199254740991', '9007199254740992', '9007199254740993', '9007199254740995'],
      ['9223372036854775805', '9223372036854775806', '9223372036854775807', null],
    ],
  },
  {
    name: 'float',
    type: 'float',
    files: [
      ['-3.4028234663852886e+38', '-0.10000000149011612', '0.10000000149011612', null],
      ['0.3333333432674408', '0.6666666865348816', '123456792.0', '123456800.0'],
      ['1.401298464324817e-45', 'nan', '3.4028234663852886e+38', 'inf'],
    ],
  },
  {
    name: 'double',
    type: 'double',
    files: [
      ['-1.7976931348623157e+308', '-0.1', '0.1', null],
      ['0.3', '0.30000000000000004', '1e+16', '1.5e+300'],
      ['nan', '5e-324', '1.7976931348623157e+308', 'inf'],
    ],
  },
  {
    name: 'dec9',
    type: 'decimal(9,2)',
    files: [
      ['-9999999.99', '-0.01', '0.00', null],
      ['0.01', '0.50', '1.00', '1.01'],
      ['9999999.97', '9999999.98', '9999999.99', null],
    ],
  },
  {
    name: 'dec18',
    type: 'decimal(18,4)',
    files: [
      ['-99999999999999.9999', '-0.0001', '0.0000', null],
      ['0.0001', '90071992547409.9200', '90071992547409.9300', '90071992547409.9301'],
      ['99999999999999.9997', '99999999999999.9998', '99999999999999.9999', null],
    ],
  },
  {
    name: 'dec38',
    type: 'decimal(38,9)',
    files: [
      ['-99999999999999999999999999999.999999999', '-0.000000001', '0.000000000', null],
      [
        '12345678901234567890123456789.123456787',
        '12345678901234567890123456789.123456788',
        '12345678901234567890123456789.123456789',
        '12345678901234567890123456789.123456790',
      ],
      [
        '99999999999999999999999999999.999999997',
        '99999999999999999999999999999.999999998',
        '99999999999999999999999999999.999999999',
        null,
      ],
    ],
  },
  {
    name: 'string',
    type: 'string',
    files: [
      ['', X31, X32, `${X32}a`],
      [`${X32}~`, `${X32}\u007f`, `${X32}é`, `${X32}${EMOJI}`],
      [`${X31}${EMOJI}`, `${X31}${EMOJI}z`, `${X31}${EMOJI}${EMOJI}`, null],
    ],
  },
  {
    name: 'words',
    type: 'string',
    files: [
      ['Ärger', 'Zürich', 'a', null],
      ['ﬀ', `${EMOJI}`, `${EMOJI}${EMOJI}`, '\u{10FFFF}'],
      [`${EMOJI.repeat(32)}a`, `é${EMOJI.repeat(31)}`, `é${EMOJI.repeat(32)}`, 'it\'s "quoted"\n\\'],
    ],
  },
  {
    name: 'last',
    type: 'string',
    files: [
      ['\u{10FFFF}'.repeat(40), 'a', 'b', 'c'],
      ['\u{10FFFF}'.repeat(33), '\u{10FFFF}'.repeat(32), null, null],
      ['\u007f'.repeat(33), '\u007f'.repeat(400), '~', '~'],
    ],
  },
  {
    name: 'binary',
    type: 'binary',
    files: [
      ['00ff', '', 'ff00', null],
      ['01', '02', '03', '04'],
      [null, null, null, null],
    ],
  },
  {
    name: 'date',
    type: 'date',
    files: [
      ['0001-01-01', '1582-10-10', '1969-12-31', null],
      ['1970-01-01', '2026-01-02', '2026-01-03', '2026-01-04'],
      ['9999-12-30', '9999-12-31', '9999-12-31', null],
    ],
  },
  {
    name: 'timestamp',
    type: 'timestamp',
    files: [
      ['0001-01-01T00:00:00.000000Z', '1969-12-31T23:59:59.999999Z', '1970-01-01T00:00:00.000000Z', null],
      [
        '2026-01-02T03:04:05.678000Z',
        '2026-01-02T03:04:05.678001Z',
        '2026-01-02T03:04:05.678900Z',
        '2026-01-02T03:04:05.678999Z',
      ],
      ['2026-01-02T03:04:05.679000Z', '2026-01-02T03:04:05.679001Z', '2026-12-31T23:59:59.999999Z', null],
    ],
  },
  {
    name: 'ints',
    type: array('integer'),
    files: [
      [['1', null, '3'], [], null, ['4']],
      [null, null, null, null],
      [['5'], ['6'], ['7'], [null]],
    ],
  },
  {
    name: 'texts',
    type: array('string'),
    files: [
      [['é', '', null], ['x'], null, []],
      [['a'], ['b'], ['c'], ['d']],
      [null, null, null, null],
    ],
  },
  {
    name: 'nothing',
    type: 'string',
    files: [
      [null, null, null, null],
      [null, null, null, null],
      [null, null, null, null],
    ],
  },
  {
    name: 'later',
    type: 'long',
    files: [
      [null, null, null, null],
      ['7', null, null, null],
      [null, null, null, '7'],
    ],
  },
  {
    name: 'größe in m²',
    type: 'double',
    files: [
      ['1.5', '2.5', '3.5', null],
      ['4.5', '5.5', '6.5', '7.5'],
      ['8.5', '9.5', '10.5', null],
    ],
  },
  {
    name: 'Ключ',
    type: 'string',
    files: [
      ['а', 'б', 'в', 'г'],
      ['д', 'е', 'ж', 'з'],
      ['и', 'й', 'к', 'л'],
    ],
  },
];

/** A table of no zone needs protocol (3,7), which not every reader has. */
export const NTZ: SampleColumn[] = [
  SAMPLE[0],
  {
    name: 'ntz',
    type: 'timestamp_ntz',
    files: [
      ['0001-01-01T00:00:00.000000', '1969-12-31T23:59:59.999999', '1970-01-01T00:00:00.000000', null],
      [
        '2026-01-02T03:04:05.678000',
        '2026-01-02T03:04:05.678001',
        '2026-01-02T03:04:05.678900',
        '2026-01-02T03:04:05.678999',
      ],
      ['2026-01-02T03:04:05.679000', '2026-01-02T03:04:05.679001', '2026-12-31T23:59:59.999999', null],
    ],
  },
];

export function sampleRows(sample: SampleColumn[]): Record<string, TextValue>[] {
  return [0, 1, 2].flatMap((file) =>
    sample[0].files[file].map((_, row) =>
      Object.fromEntries(sample.map(({ name, files }) => [name, files[file][row]])),
    ),
  );
}

const DUCK_TYPES: Record<string, string> = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  integer: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMPTZ',
  timestamp_ntz: 'TIMESTAMP',
};

export function duckType(type: DeltaType): string {
  return typeof type === 'string' ? (DUCK_TYPES[type] ?? type) : `${duckType(type.elementType)}[]`;
}

/** A value as DuckDB's SQL. */
export function duckLiteral(type: DeltaType, value: TextValue): string {
  if (value === null) return `NULL::${duckType(type)}`;
  if (typeof type !== 'string') {
    return `[${(value as TextValue[]).map((each) => duckLiteral(type.elementType, each)).join(', ')}]::${duckType(type)}`;
  }
  return type === 'binary' ? `from_hex(${text(value as string)})` : `${text(value as string)}::${duckType(type)}`;
}

export type SampleTable = { path: string; columns: DeltaColumn[]; files: string[]; adds: AddFile[] };

/** Makes the table in `place`. `stats` may change what the log says of a file; `protocol` is the lowest one unless given. */
export async function sampleTable(
  place: DeltaPlace,
  connection: DuckConnection,
  sample: SampleColumn[] = SAMPLE,
  {
    protocol = { minReaderVersion: 1, minWriterVersion: 2 } as Protocol,
    configuration = {} as Record<string, string>,
    stats = (text: string, _file: number) => text,
  } = {},
): Promise<SampleTable> {
  const root = `table-${randomUUID()}`;
  const path = join(place.folder, root);
  const columns = sample.map(({ name, type }): DeltaColumn => ({ name, type, nullable: true, metadata: {} }));
  await place.writer(root).lake.put(`${root}/placeholder`, Buffer.alloc(0), never);
  const adds: AddFile[] = [];
  const files: string[] = [];
  for (const file of [0, 1, 2]) {
    const name = `${randomUUID()}.parquet`;
    const rows = sample[0].files[file].map(
      (_, row) =>
        `SELECT ${sample.map((column) => `${duckLiteral(column.type, column.files[file][row])} AS ${ident(column.name)}`).join(', ')}`,
    );
    const [written] = await connection.rows<WrittenFile & { file_size_bytes: bigint }>(
      `COPY (${rows.join(' UNION ALL ')}) TO ${text(join(path, name))} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS)`,
      never,
    );
    const found = await fileStatistics(connection, written, columns, ['id'], never);
    files.push(written.filename);
    adds.push({
      path: name,
      partitionValues: {},
      size: Number(written.file_size_bytes),
      modificationTime: 1,
      dataChange: true,
      stats: stats(found, file),
      deletionVector: null,
    });
  }
  const metadata = { id: randomUUID(), columns, partitionColumns: [], configuration, createdTime: 1 };
  await commit(place.writer(root), null, changes({ protocol, metadata, add: adds }), never);
  return { path, columns, files, adds };
}
