import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CarriedIds } from '../../../src/export/carried-ids.ts';
import { type ColumnPlan, planColumns } from '../../../src/export/column-plan.ts';
import { GroupReader } from '../../../src/export/group-reader.ts';
import { copyChangedRows } from '../../../src/postgres/changed-rows.ts';
import { connect, disconnect } from '../../../src/postgres/connect.ts';
import { CopyFrames } from '../../../src/postgres/copy-frames.ts';
import { copyOut } from '../../../src/postgres/copy-out.ts';
import { describeTables } from '../../../src/postgres/describe.ts';
import { TypeCatalog } from '../../../src/postgres/type-catalog.ts';
import { tableSettings } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

const forever = new AbortController().signal;
const ROWS = 5;
let db: TestDatabase;
/** The server's bytes of one whole COPY, from CopyOutResponse to ReadyForQuery. */
let recorded: Buffer;
let plan: ColumnPlan;

beforeAll(async () => {
  db = await createDatabase();
  await db.query(
    `create table t (id int primary key, a bigint, n numeric(20,2), t text, l int[], d date, at timestamptz, o inet)`,
  );
  await db.query(`insert into t select i, -i, i / 3.0, repeat('é', i), array[i, null], '2024-01-01', '2024-01-01+00', '::1'
    from generate_series(1, ${ROWS - 1}) i`);
  await db.query(`insert into t values (${ROWS}, null, 'NaN', '', '{{1}}', 'infinity', '-infinity', null)`);
  const client = await connect({ role: 'source', url: db.url, env: {} }, forever);
  const [table] = await describeTables(client, [{ schema: 'public', table: 't' }], new TypeCatalog());
  const columns = Object.fromEntries(['n', 'l', 'd', 'at'].map((c) => [c, { on_unfit: 'text' as const }]));
  plan = planColumns(
    table!,
    tableSettings('t', { columns: { ...columns, l: { type: 'array', on_unfit: 'text' } } }),
    2,
  );
  const chunks: Buffer[] = [];
  const text = copyChangedRows({
    table: { schema: 'public', table: 't' },
    columns: plan.columns.map(({ source, selection }) => ({ name: source, selection })),
    ...{ since: null, xmax: 1000n, cursor: null, where: null, start: null },
  });
  // The recorder takes the chunks that a CopySocket would hand to copyOut's own listener.
  const { stream } = (client as unknown as { connection: { stream: Socket & { sink: ((c: Buffer) => void) | null } } })
    .connection;
  const copied = copyOut(
    client,
    text,
    { copyData() {}, chunkEnd() {} },
    () => {
      const theirs = stream.sink!;
      stream.sink = (chunk) => {
        chunks.push(Buffer.from(chunk));
        theirs(chunk);
      };
    },
    forever,
  );
  await copied;
  await disconnect(client);
  recorded = Buffer.concat(chunks);
});

afterAll(async () => {
  await db[Symbol.asyncDispose]();
});

/** What a run would hand to the encoder, as plain data. */
function read(chunks: Buffer[], limits = { rows: 1000, bytes: 1 << 20 }, finish = true): unknown {
  const groups: unknown[] = [];
  const ids = new CarriedIds({ xmin: 3n, xmax: 2n ** 31n }, []);
  const reader = new GroupReader('t', plan, true, ids, limits, (group) => {
    groups.push({
      rows: group.rows,
      columns: group.columns.map(({ values, count, validity, levels }) => ({
        values: values.toString('hex'),
        count,
        validity: validity && Buffer.from(validity).toString('hex'),
        levels: levels && Buffer.from(levels.definition).toString('hex'),
      })),
    });
    for (const i of group.columns.keys()) group.release(i);
  });
  const messages: string[] = [];
  const frames = new CopyFrames({
    copyData: (bytes, view, start, end) => reader.copyData(bytes, view, start, end),
    chunkEnd: () => reader.chunkEnd(),
    message: (bytes) => messages.push(bytes.toString('latin1')),
    rest: (bytes) => messages.push(`behind: ${bytes.toString('latin1')}`),
  });
  for (const chunk of chunks) {
    // As the socket's one buffer: overwritten by the next read.
    const own = Buffer.from(chunk);
    frames.feed(own);
    own.fill(0xee);
  }
  if (finish) reader.finish();
  return { groups, messages, rows: reader.rows, unfit: reader.unfit, ids: ids.ids() };
}

test('a real COPY, cut at every byte, becomes the same row groups', () => {
  const whole = read([recorded]);
  expect(whole).toMatchObject({
    rows: BigInt(ROWS),
    unfit: { n: { text: 1 }, l: { text: 1 }, d: { text: 1 }, at: { text: 1 } },
  });
  expect((whole as { ids: bigint[] }).ids.length).toBeGreaterThan(0);
  for (let cut = 1; cut < recorded.length; cut++) {
    expect(read([recorded.subarray(0, cut), recorded.subarray(cut)]), `cut at ${cut}`).toEqual(whole);
  }
  const bytes = Array.from(recorded, (_, i) => recorded.subarray(i, i + 1));
  expect(read(bytes)).toEqual(whole);
});

test('groups are full wherever the bytes are cut', () => {
  const limits = { rows: 2, bytes: 1 << 20 };
  const whole = read([recorded], limits) as { groups: { rows: number }[] };
  expect(whole.groups.map(({ rows }) => rows)).toEqual([2, 2, 1]);
  for (let cut = 1; cut < recorded.length; cut += 3) {
    expect(read([recorded.subarray(0, cut), recorded.subarray(cut)], limits), `cut at ${cut}`).toEqual(whole);
  }
});

test('a COPY without its end is not taken for a whole one', () => {
  // Up to the last row's end: the trailer's message of 4 + 5 bytes and the three messages behind it are missing.
  const trailer = recorded.lastIndexOf(Buffer.from([0x64, 0, 0, 0, 6, 0xff, 0xff]));
  expect(trailer).toBeGreaterThan(0);
  expect(() => read([recorded.subarray(0, trailer)])).toThrow(expect.objectContaining({ code: 'SOURCE_FAILED' }));
  expect(() => read([recorded.subarray(0, trailer + 7)])).not.toThrow();
});

test('a tuple with another number of fields, or whose fields do not fill it, is out of step', () => {
  const fields = recorded.indexOf(Buffer.from([0, plan.columns.length + 1, 0, 0, 0, 4]));
  for (const change of [1, -1]) {
    const bent = Buffer.from(recorded);
    bent[fields + 1] += change;
    expect(() => read([bent])).toThrow('out of step');
  }
  const bent = Buffer.from(recorded);
  bent[fields + 5] += 1;
  expect(() => read([bent])).toThrow();
});
