import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEngine } from '../../src/compact/open-engine.ts';
import { sharedEngine } from '../../src/daemon/shared-engine.ts';
import { createSmallConnections } from '../../src/daemon/small-connections.ts';
import { openLocalLake } from '../../src/lake/local.ts';

const never = new AbortController().signal;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-engine-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function engineOf(mostUses: number) {
  const spool = { path: path.join(folder, 'spool'), limitBytes: 1e9 };
  const settings = { spool, memoryBytes: 100e6, memoryIsFixed: true } as Parameters<typeof openEngine>[0];
  const log = pino({ level: 'silent' });
  return sharedEngine(() => openEngine(settings, openLocalLake(folder), { log, livesOn: true }), mostUses);
}

test('after some uses DuckDB is another one, in the same spool', async () => {
  await using engine = engineOf(2);
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(await engine.use(async ({ duck, spool }) => ({ duck: await duck(), spool })));
  expect(seen[1].duck).toBe(seen[0].duck);
  expect(seen[2].duck).not.toBe(seen[1].duck);
  expect(seen[3].duck).toBe(seen[2].duck);
  expect(new Set(seen.map(({ spool }) => spool)).size).toBe(1);
});

test('it is not closed while somebody uses it', async () => {
  await using engine = engineOf(1);
  const goOn = Promise.withResolvers<void>();
  const long = engine.use(async ({ connect }) => {
    const [connection] = await connect();
    await goOn.promise;
    return connection.rows('select 42 as answer', never);
  });
  for (let i = 0; i < 3; i++) await engine.use(async ({ connect }) => (await connect())[0].run('select 1', never));
  goOn.resolve();
  expect(await long).toEqual([{ answer: 42 }]);
});

test('connections for small ones are made anew with it', async () => {
  await using engine = engineOf(1);
  const small = createSmallConnections();
  const answers = [];
  for (let i = 0; i < 3; i++)
    answers.push(
      await engine.use(({ duck }) =>
        small.use(duck, async (connect) => (await connect())[0].rows(`select ${i} as i`, never)),
      ),
    );
  expect(answers).toEqual([[{ i: 0 }], [{ i: 1 }], [{ i: 2 }]]);
});

test('what could not be opened is tried again', async () => {
  let times = 0;
  await using engine = sharedEngine(async () => {
    times++;
    throw new Error('no room');
  });
  for (let i = 0; i < 2; i++) await expect(engine.use(async () => {})).rejects.toThrow('no room');
  expect(times).toBe(2);
});
