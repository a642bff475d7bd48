/** Our log read by delta-rs and by DuckDB's delta extension (the Delta kernel), theirs by us, and both writers taking turns. */

import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile, DeltaColumn, Snapshot } from '../../src/compact/delta/actions.ts';
import { writeCheckpoint } from '../../src/compact/delta/checkpoint.ts';
import { commit, type DeltaWriter } from '../../src/compact/delta/commit.ts';
import { encodeVectors, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { history } from '../../src/compact/delta/history.ts';
import { protocolFor } from '../../src/compact/delta/protocol.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { duckTypeOf } from '../../src/compact/types.ts';
import { added, changes, type DeltaPlace, deltaPlace, METADATA, never, removed } from '../compact/delta-support.ts';
import { pythonAvailable, runPython } from '../support/python.ts';

const python = await pythonAvailable();

const COLUMNS: DeltaColumn[] = [
  { name: 'id', type: 'long', nullable: true, metadata: {} },
  { name: 'größe "x"', type: 'timestamp', nullable: true, metadata: {} },
];
const NTZ: DeltaColumn[] = [COLUMNS[0], { ...COLUMNS[1], type: 'timestamp_ntz' }];
const LAST_RUN = 9_007_199_254_740_993n;

let place: DeltaPlace;
beforeAll(async () => {
  place = await deltaPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());

const folderOf = ({ root }: DeltaWriter) => join(place.folder, root);
const logFile = (writer: DeltaWriter, name: string) => join(folderOf(writer), '_delta_log', name);
const versionFile = (version: number) => `${String(version).padStart(20, '0')}.json`;

/** A data file of one row. */
async function rowFile(writer: DeltaWriter, columns: DeltaColumn[], id: number): Promise<AddFile> {
  const path = `row ${id}%20é.parquet`;
  await mkdir(folderOf(writer), { recursive: true });
  const connection = await place.duck.connect();
  const time = `'2026-01-02 03:04:05.678901'::${duckTypeOf(columns[1].type)}`;
  const file = join(folderOf(writer), path);
  await connection.run(
    `COPY (SELECT ${id}::BIGINT AS id, ${time} AS "größe ""x""") TO '${file}' (FORMAT parquet)`,
    never,
  );
  const stats = `{"numRecords":1,"minValues":{"id":${id}},"maxValues":{"id":${id}},"nullCount":{"id":0}}`;
  return added(path, { size: (await stat(file)).size, modificationTime: Date.now(), stats });
}

/** Thirteen versions, a checkpoint at ten; rows 1 and 2 come and go. */
async function build(root: string, columns: DeltaColumn[]): Promise<{ writer: DeltaWriter; snapshot: Snapshot }> {
  const writer: DeltaWriter = { ...place.writer(root), now: () => Date.now() };
  let snapshot: Snapshot | null = null;
  for (let n = 0; n <= 12; n++) {
    const first = { protocol: protocolFor(columns, false, null), metadata: { ...METADATA, columns } };
    const gone: AddFile | undefined = snapshot?.files.get(`row ${n - 2}%20é.parquet`);
    const what = changes({
      ...(n === 0 ? first : {}),
      txn: { appId: 'tidemark', version: LAST_RUN - 12n + BigInt(n) },
      remove: gone && n <= 4 && n >= 3 ? [removed(gone, Date.now())] : [],
      add: [await rowFile(writer, columns, n)],
    });
    snapshot = (await commit(writer, snapshot, what, never)) as Snapshot;
  }
  return { writer, snapshot: snapshot! };
}
const IDS = [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

const READ = `
import json, sys, glob, os
import pyarrow as pa
from deltalake import DeltaTable
import duckdb, duckdb_extension_delta
path = json.load(sys.stdin)
table = DeltaTable(path)
rows = pa.table(table.to_pyarrow_table())
con = duckdb.connect(config={'allow_unsigned_extensions': True})
extension = glob.glob(os.path.dirname(duckdb_extension_delta.__file__) + '/extensions/*/delta.duckdb_extension')[0]
con.execute("LOAD '%s'" % extension)
con.execute("SET TimeZone = 'UTC'")
quoted = path.replace("'", "''")
print(json.dumps({
  'version': table.version(),
  'run': str(table.transaction_version('tidemark')),
  'rs': sorted(rows.column('id').to_pylist()),
  'times': sorted({str(each) for each in rows.column('größe "x"').to_pylist()}),
  'kernel': con.execute("SELECT list(id ORDER BY id) FROM delta_scan('%s')" % quoted).fetchone()[0],
  'above 10': con.execute("SELECT list(id ORDER BY id) FROM delta_scan('%s') WHERE id > 10" % quoted).fetchone()[0],
}))`;

const read = (writer: DeltaWriter) => runPython(READ, folderOf(writer));
const seen = (columns: DeltaColumn[]) => ({
  version: 12,
  run: String(LAST_RUN),
  rs: IDS,
  times: [`2026-01-02 03:04:05.678901${columns === NTZ ? '' : '+00:00'}`],
  kernel: IDS,
  'above 10': [11, 12],
});

describe.skipIf(!python).each([
  ['protocol (1,2)', COLUMNS],
  ['protocol (3,7) with wall clocks', NTZ],
])('%s', (name, columns) => {
  test('both read our table with and without its checkpoint, hint and older commits', async () => {
    const { writer } = await build(`staged/ours ${name}`, columns);
    const checkpoint = logFile(writer, '00000000000000000010.checkpoint.parquet');
    expect(await read(writer)).toEqual(seen(columns));
    await rename(checkpoint, join(place.folder, 'aside'));
    await rename(logFile(writer, '_last_checkpoint'), join(place.folder, 'hint'));
    expect(await read(writer)).toEqual(seen(columns));
    await rename(join(place.folder, 'aside'), checkpoint);
    for (let version = 0; version <= 10; version++) await rm(logFile(writer, versionFile(version)));
    expect(await read(writer)).toEqual(seen(columns));
    await rename(join(place.folder, 'hint'), logFile(writer, '_last_checkpoint'));
    expect(await read(writer)).toEqual(seen(columns));
  });

  test('delta-rs appends, deletes, optimizes and checkpoints, and we go on from its log', async () => {
    const { writer } = await build(`staged/turns ${name}`, columns);
    const script = `
import json, sys
from deltalake import DeltaTable, write_deltalake
path = json.load(sys.stdin)
rows = DeltaTable(path).to_pyarrow_table()
write_deltalake(path, rows.filter(__import__('pyarrow').compute.field('id') >= 11), mode='append')
table = DeltaTable(path)
table.delete('id = 5')
table.optimize.compact()
table.create_checkpoint()
write_deltalake(path, rows.filter(__import__('pyarrow').compute.field('id') == 3), mode='append')
print(json.dumps(DeltaTable(path).version()))`;
    const version = (await runPython(script, folderOf(writer))) as number;
    const theirs = (await readSnapshot(writer, never))!;
    expect(theirs).toMatchObject({ version, metadata: { columns } });
    expect(theirs.txns.get('tidemark')).toBe(LAST_RUN);
    expect(theirs.files.size).toBe(2);
    expect([...theirs.files.values()].map(({ stats }) => JSON.parse(stats!).numRecords).sort()).toEqual([1, 12]);
    const operations: (string | null)[] = [];
    for await (const { operation, engineInfo } of history(writer, never)) {
      if (engineInfo?.startsWith('delta-rs')) operations.push(operation);
    }
    expect(operations).toEqual(['WRITE', 'OPTIMIZE', 'DELETE', 'WRITE']);

    const small = [...theirs.files.values()].find(({ stats }) => JSON.parse(stats!).numRecords === 1)!;
    const what = changes({ remove: [removed(small, Date.now())], add: [await rowFile(writer, columns, 20)] });
    const ours = (await commit(writer, theirs, what, never)) as Snapshot;
    await writeCheckpoint(writer, ours, Date.now(), never);
    const rows = [...IDS.filter((id) => id !== 5), 11, 12, 20].sort((a, b) => a - b);
    expect(await read(writer)).toMatchObject({ version: version + 1, rs: rows, kernel: rows, run: String(LAST_RUN) });
  });
});

test.skipIf(!python)(
  'deletion vectors hold in our checkpoint',
  async () => {
    const { writer, snapshot } = await build('staged/vectors', COLUMNS);
    const { file, refs } = encodeVectors([[0], [0]], randomUUID());
    await writeFile(join(folderOf(writer), vectorPath(refs[0])!), file);
    const marked = ['row 4%20é.parquet', 'row 11%20é.parquet'].map((path, n) => ({
      before: snapshot.files.get(path)!,
      after: { ...snapshot.files.get(path)!, deletionVector: refs[n] },
    }));
    const configuration = { 'delta.enableDeletionVectors': 'true' };
    const what = changes({
      protocol: protocolFor(COLUMNS, true, snapshot.protocol),
      metadata: { ...snapshot.metadata, configuration },
      remove: marked.map(({ before }) => removed(before, Date.now())),
      add: marked.map(({ after }) => after),
    });
    const ours = (await commit(writer, snapshot, what, never)) as Snapshot;
    await writeCheckpoint(writer, ours, Date.now(), never);
    for (let version = 0; version <= 13; version++) await rm(logFile(writer, versionFile(version)));
    const rows = IDS.filter((id) => id !== 4 && id !== 11);
    const script = READ.replace(
      'pa.table(table.to_pyarrow_table())',
      "pa.table(QueryBuilder().register('t', table).execute('SELECT * FROM t'))",
    );
    const query = script.replace('import DeltaTable', 'import DeltaTable, QueryBuilder');
    expect(await runPython(query, folderOf(writer))).toMatchObject({
      version: 13,
      rs: rows,
      kernel: rows,
      'above 10': [12],
    });
    expect((await readSnapshot(writer, never))!.files).toEqual(ours.files);
  },
  60_000,
);

test.skipIf(!python)('a table that delta-rs made, of every type and by parts, is read as it is', async () => {
  const writer = place.writer('staged/theirs');
  const script = `
import json, sys, datetime, decimal
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
path = json.load(sys.stdin)
day = datetime.datetime(2026, 1, 1)
rows = pa.table({
  'long': pa.array([2**63 - 1, -2**63]), 'integer': pa.array([1, 2], pa.int32()), 'short': pa.array([1, 2], pa.int16()),
  'byte': pa.array([1, 2], pa.int8()), 'float': pa.array([1, 2], pa.float32()), 'double': pa.array([1.5, None]),
  'boolean': [True, False], 'string': ['a', None], 'binary': pa.array([b'x', None]), 'date': [day.date(), None],
  'timestamp': pa.array([day, None], pa.timestamp('us', 'UTC')), 'wall': pa.array([day, None], pa.timestamp('us')),
  'decimal': pa.array([decimal.Decimal('1.10'), None], pa.decimal128(10, 2)), 'list': [['a'], None],
  'part': ['x y%/=', None],
})
write_deltalake(path, rows, partition_by=['part'])
for n in range(3): write_deltalake(path, rows, mode='append')
table = DeltaTable(path)
table.delete('boolean = false')
table.create_checkpoint()
write_deltalake(path, rows, mode='append')
print(json.dumps(sorted([each['path'], each['partition']['part']] for each in pa.table(DeltaTable(path).get_add_actions()).to_pylist())))`;
  const theirs = (await runPython(script, folderOf(writer))) as [string, string | null][];
  const snapshot = (await readSnapshot(writer, never))!;
  expect(Object.fromEntries(snapshot.metadata.columns.map(({ name, type }) => [name, type]))).toEqual({
    ...Object.fromEntries(
      ['long', 'integer', 'short', 'byte', 'float', 'double', 'boolean', 'string', 'binary', 'date', 'timestamp'].map(
        (type) => [type, type],
      ),
    ),
    wall: 'timestamp_ntz',
    decimal: 'decimal(10,2)',
    list: { type: 'array', elementType: 'string', containsNull: true },
    part: 'string',
  });
  expect(snapshot.metadata.partitionColumns).toEqual(['part']);
  const files = [...snapshot.files.values()];
  for (const { path, size } of files) expect((await stat(join(folderOf(writer), path))).size).toBe(size);
  expect(files).toHaveLength(theirs.length);
  expect(new Set(files.map(({ partitionValues }) => partitionValues.part))).toEqual(new Set(['x y%/=', null]));
  // Their checkpoints come with columns that ours has not; the statistics' digits are those of the values.
  expect(files.some(({ stats }) => stats?.includes('9223372036854775807'))).toBe(true);
});
