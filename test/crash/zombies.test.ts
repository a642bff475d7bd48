/** A process that stands still for longer than its lease, while another takes over, and then goes on. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { exportByOrder } from '../support/export-order.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { bucketLake, change, createTable, folderLake, ROWS, scene, type TestLake } from './scene.ts';

let db: TestDatabase;
let server: S3Server;

beforeAll(async () => {
  db = await createDatabase();
  server = await startS3Server();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

let tables = 0;

/** Stops a first process at the step, lets another export, then the first one go on; what each of them said. */
async function takeOver(lake: TestLake, step: string, nth = 1, meanwhile = async (_table: string) => {}) {
  const on = scene(db, lake);
  const table = `z${++tables}`;
  await createTable(db, table);
  const zombie = on.start(table, { step, nth, signal: 'SIGSTOP' });
  try {
    await zombie.reached(step, nth);
    await on.leaseEnds(table);
    await meanwhile(table);
    const second = await on.run(table);
    const { code, results } = await zombie.goOn();
    return { on, table, second, first: { code, ...results[0] } };
  } finally {
    zombie.kill();
  }
}

describe.each(['folder', 'bucket'])('lake in a %s', (kind) => {
  const newLake = async () => (kind === 'folder' ? await folderLake() : bucketLake(server));

  test.each([
    ['planned', 1],
    ['file-uploaded', 2],
    ['uploaded', 1],
  ])(
    'not prepared yet (%s): the second makes the run its own way, the first gives up and leaves nothing',
    async (step, nth) => {
      await using lake = await newLake();
      const { on, table, first, second } = await takeOver(lake, step, nth);
      expect(second).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
      expect(first).toMatchObject({ code: 0, state: 'failed', error: 'LEASE_LOST' });
      await on.isWhole(table, await on.versions(table));
    },
  );

  test.each([
    ['prepared', 1],
    ['file-completed', 2],
    ['completed', 1],
  ])('prepared (%s): the second completes the run of the first, once', async (step, nth) => {
    await using lake = await newLake();
    const { on, table, first, second } = await takeOver(lake, step, nth);
    expect(second).toMatchObject({ state: 'nothing' });
    expect(first.code).toBe(0);
    expect([first.state, first.error]).toBeOneOf([
      ['committed', null],
      ['failed', 'LEASE_LOST'],
    ]);
    await on.isWhole(table, await on.versions(table));
  });

  test('prepared, but an upload expired: the second makes the run again, and the first brings nothing back', async () => {
    await using lake = await newLake();
    const { on, table, first, second } = await takeOver(lake, 'file-completed', 2, lake.expire);
    expect(second).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
    expect(first).toMatchObject({ code: 0, state: 'failed', error: 'LEASE_LOST' });
    await on.isWhole(table, await on.versions(table));
  });

  test('the rows of the second run come after those of the first, none of them twice', async () => {
    await using lake = await newLake();
    let before: number[] = [];
    const { on, table, second } = await takeOver(lake, 'prepared', 1, async (t) => {
      before = await scene(db, lake).versions(t);
      await change(db, t);
    });
    expect(second).toMatchObject({ state: 'committed', rows: BigInt(ROWS / 2) });
    await on.isWhole(table, [...new Set([...before, ...(await on.versions(table))])]);
  });
});

test('the answer to prepare is lost, and somebody else completes the run meanwhile: its files stay', async () => {
  await using lake = await folderLake();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  const on = scene(db, lake);
  await createTable(db, 'unsure');
  const second = Promise.withResolvers<unknown>();
  let lost = false;
  const prepared = `select r.state from tidemark.run r join tidemark.source_table t on t.id = table_id where folder = 'unsure'`;
  const takeOverNow = async () => {
    // The server has yet to carry it out.
    await vi.waitFor(async () => expect(await db.query(prepared)).toEqual([{ state: 'prepared' }]), 30_000);
    await on.leaseEnds('unsure');
    const result = await on.run('unsure');
    proxy.judge = () => 'pass';
    return result;
  };
  const step = async (name: string) => {
    if (name !== 'uploaded') return;
    proxy.judge = (message) => {
      if (lost) return 'cut';
      if (message.toString('latin1', 5) !== 'commit\0') return 'pass';
      lost = true;
      takeOverNow().then(second.resolve, second.reject);
      return 'swallow';
    };
  };
  const [first] = await exportByOrder({ ...on.order('unsure'), stateUrl: proxy.through(db.url) }, step);
  expect(await second.promise).toMatchObject({ state: 'nothing' });
  expect(first).toMatchObject({ state: 'failed', error: { code: 'LEASE_LOST' } });
  await on.isWhole('unsure', await on.versions('unsure'));
});

test("a lease that nobody took over is still its holder's, however late it comes back", async () => {
  await using lake = await folderLake();
  const on = scene(db, lake);
  await createTable(db, 'slow');
  const slow = on.start('slow', { step: 'uploaded', nth: 1, signal: 'SIGSTOP' });
  await slow.reached('uploaded', 1);
  await on.leaseEnds('slow');
  expect(await slow.goOn()).toMatchObject({ code: 0, results: [{ state: 'committed' }] });
  await on.isWhole('slow', await on.versions('slow'));
});
