/** One version, one writer: whatever the lake answers, and however many write at once. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/compact/delta/actions.ts';
import { commit, type DeltaWriter } from '../../src/compact/delta/commit.ts';
import { history } from '../../src/compact/delta/history.ts';
import { readSnapshot, refreshSnapshot } from '../../src/compact/delta/read-log.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { BACKENDS, type Place } from '../lake/backends.ts';
import { limitsFor, s3Fixture } from '../s3/s3-fixture.ts';
import type { S3FaultAction } from '../support/s3-faults.ts';
import { added, CREATE, changes, type DeltaPlace, deltaPlace, ID, METADATA, never, removed } from './delta-support.ts';

let place: DeltaPlace;
beforeAll(async () => {
  place = await deltaPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());

const WRITERS = 20;

describe.each(BACKENDS)('$name', ({ open }) => {
  if (open === null) return test.skip('not here', () => {});
  let lakes: Place;
  beforeAll(async () => {
    lakes = await open();
  });
  afterAll(() => lakes?.[Symbol.asyncDispose]());

  const writers = async (root: string) =>
    Promise.all(Array.from({ length: WRITERS }, async () => place.writer(root, await lakes.reopen())));

  test('of twenty that make a table at once, one makes it', async () => {
    const results = await Promise.all(
      (await writers('staged/new')).map((writer, n) =>
        commit(writer, null, { ...CREATE, add: [added(`by-${n}`)] }, never),
      ),
    );
    const winner = results.findIndex((result) => result !== 'conflict');
    expect(results.filter((result) => result !== 'conflict')).toHaveLength(1);
    const read = await readSnapshot(place.writer('staged/new', lakes.lake), never);
    expect([...read!.files.keys()]).toEqual([`by-${winner}`]);
  });

  test('twenty that go on after a conflict lose no commit and repeat none', async () => {
    const root = 'staged/race';
    const first = (await commit(place.writer(root, lakes.lake), null, CREATE, never)) as Snapshot;
    const land = async (writer: DeltaWriter, name: string, from: Snapshot): Promise<Snapshot> => {
      let snapshot = from;
      for (;;) {
        const result = await commit(writer, snapshot, changes({ add: [added(name)] }), never);
        if (result !== 'conflict') return result;
        const newer = await refreshSnapshot(writer, snapshot, never);
        expect(newer.version).toBeGreaterThan(snapshot.version);
        snapshot = newer;
      }
    };
    await Promise.all(
      (await writers(root)).map(async (writer, n) => {
        const one = await land(writer, `${n}-one`, first);
        await land(writer, `${n}-two`, one);
      }),
    );
    const writer = place.writer(root, lakes.lake);
    const versions: number[] = [];
    for await (const entry of history(writer, never)) {
      versions.push(entry.version);
      expect(entry.filesAdded).toBe(entry.version === 0 ? 0 : 1);
    }
    expect(versions).toEqual(Array.from({ length: 2 * WRITERS + 1 }, (_, n) => 2 * WRITERS - n));
    const names = Array.from({ length: WRITERS }, (_, n) => [`${n}-one`, `${n}-two`]).flat();
    expect([...(await readSnapshot(writer, never))!.files.keys()].sort()).toEqual(names.sort());
    expect(place.warnings).toEqual([]);
  });
});

describe('an unclear answer to a commit', () => {
  test.each<[string, S3FaultAction]>([
    ['a lost answer', { kind: 'lose-answer' }],
    ['503 after the work', { kind: 'answer-after-work', status: 503, code: 'ServiceUnavailable' }],
    ['412 after the work', { kind: 'answer-after-work', status: 412, code: 'PreconditionFailed' }],
    ['no answer though the work is done', { kind: 'hang', work: true }],
    ['409', { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' }],
  ])('%s: it is ours, once', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    const writer = place.writer('staged/t', s3.lake);
    const first = (await commit(writer, null, CREATE, never)) as Snapshot;
    s3.server.fault({ on: 'PutObject', act });
    const second = (await commit(writer, first, changes({ add: [added('a')] }), never)) as Snapshot;
    expect(second.version).toBe(1);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(await readSnapshot(writer, never)).toEqual(second);
  });

  test('errors until the budget is used up: what is in the log decides', async () => {
    await using s3 = await s3Fixture({}, { attempts: 3 });
    const writer = place.writer('staged/t', s3.lake);
    const first = (await commit(writer, null, CREATE, never)) as Snapshot;
    const answer = { status: 500, code: 'InternalError' };
    s3.server.fault({ on: 'PutObject', times: 3, act: { kind: 'answer-after-work', ...answer } });
    const second = (await commit(writer, first, changes({ add: [added('a')] }), never)) as Snapshot;
    expect(second.version).toBe(1);
    s3.server.fault({ on: 'PutObject', times: 3, act: { kind: 'answer', ...answer } });
    expect(await commit(writer, first, changes({ add: [added('b')] }), never)).toBe('conflict');
    s3.server.fault({ on: 'PutObject', times: 3, act: { kind: 'answer', ...answer } });
    await expect(commit(writer, second, changes({ add: [added('c')] }), never)).rejects.toMatchObject({
      code: 'LAKE_FAILED',
    });
    expect(s3.server.faultsLeft()).toBe(0);
    expect([...(await readSnapshot(writer, never))!.files.keys()]).toEqual(['a']);
  });

  test('a lake that meets its own object again says `exists`, and the version is ours all the same', async () => {
    const { lake } = place.writer('any');
    const twice: Lake = {
      ...lake,
      async putIfAbsent(key, body, signal) {
        await lake.putIfAbsent(key, body, signal);
        return lake.putIfAbsent(key, body, signal);
      },
    };
    const writer = place.writer('staged/twice', twice);
    const first = await commit(writer, null, CREATE, never);
    expect(first).toMatchObject({ version: 0 });
    expect(await commit(place.writer('staged/twice'), null, CREATE, never)).toBe('conflict');
  });
});

test('a checkpoint that fails, anywhere, is a warning; the version is there and the next one follows', async () => {
  const { lake } = place.writer('any');
  for (const failing of ['00000000000000000010.checkpoint.parquet', '_last_checkpoint']) {
    const put: Lake['put'] = async (key, body, signal) => {
      if (key.endsWith(failing)) throw new Error('the disk is full');
      await lake.put(key, body, signal);
    };
    const writer = place.writer(`staged/${failing}`, { ...lake, put });
    let snapshot = (await commit(writer, null, CREATE, never)) as Snapshot;
    for (let n = 1; n <= 11; n++) {
      snapshot = (await commit(writer, snapshot, changes({ add: [added(`f${n}`)] }), never)) as Snapshot;
    }
    expect(place.warnings.splice(0)).toMatchObject([{ message: 'the disk is full' }]);
    expect(await readSnapshot(writer, never)).toEqual(snapshot);
  }
});

test('nothing is written to a table that asks for what is not known here', async () => {
  const writer = place.writer('staged/guarded');
  const metadata = { ...METADATA, configuration: { 'delta.enableChangeDataFeed': 'true' } };
  await expect(commit(writer, null, { ...CREATE, metadata }, never)).rejects.toMatchObject({
    code: 'STAGED_UNSUPPORTED',
  });
  expect(await readSnapshot(writer, never)).toBeNull();
  await expect(commit(writer, null, changes(), never)).rejects.toMatchObject({ code: 'INTERNAL' });
  const twins = { ...METADATA, columns: [ID, { ...ID, name: 'ID' }] };
  await expect(commit(writer, null, { ...CREATE, metadata: twins }, never)).rejects.toMatchObject({
    code: 'STAGED_UNSUPPORTED',
  });
  const first = (await commit(writer, null, { ...CREATE, add: [added('a')] }, never)) as Snapshot;
  const theirs = { ...first, metadata: { ...METADATA, configuration: { 'delta.appendOnly': 'true' } } };
  const remove = [removed(added('a'))];
  await expect(commit(writer, theirs, changes({ remove }), never)).rejects.toMatchObject({
    code: 'STAGED_UNSUPPORTED',
  });
  // Nor does the commit lift the rule that it breaks.
  const lifted = changes({ metadata: METADATA, remove });
  await expect(commit(writer, theirs, lifted, never)).rejects.toMatchObject({ code: 'STAGED_UNSUPPORTED' });
  expect((await readSnapshot(writer, never))!.version).toBe(0);
});

test('a commit is one line an action, in the order that readers rely on', async () => {
  const writer = place.writer('staged/order');
  const first = (await commit(writer, null, { ...CREATE, add: [added('a')] }, never)) as Snapshot;
  const txn = { appId: 'tidemark', version: 7n };
  await commit(writer, first, { ...CREATE, txn, remove: [removed(added('a'))], add: [added('b')] }, never);
  const text = (await writer.lake.get('staged/order/_delta_log/00000000000000000001.json', never)).toString();
  expect(text.endsWith('}\n')).toBe(true);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map((line) => Object.keys(line))).toEqual([
    ['commitInfo'],
    ['protocol'],
    ['metaData'],
    ['txn'],
    ['remove'],
    ['add'],
  ]);
  expect(lines[0].commitInfo).toMatchObject({ operation: 'WRITE', engineInfo: expect.stringContaining('tidemark/') });
  expect(lines[0].commitInfo.txnId).toMatch(/^[0-9a-f-]{36}$/);
});

test('a stop ends a commit with its own reason', async () => {
  const reason = new Error('stopped by the user');
  const writer = place.writer('staged/stopped');
  await expect(commit(writer, null, CREATE, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(await readSnapshot(writer, never)).toBeNull();
});

test('a server that ignores the condition is found out when a table is made', async () => {
  const before = place.warnings.length;
  await using honest = await s3Fixture();
  await commit(place.writer('staged/t', honest.lake), null, CREATE, never);
  expect(place.warnings).toHaveLength(before);
  await using careless = await s3Fixture({ behaviour: { conditions: 'ignored' } });
  await commit(place.writer('staged/t', careless.lake), null, CREATE, never);
  expect(place.warnings.slice(before)).toMatchObject([{ message: expect.stringContaining('If-None-Match') }]);
});
