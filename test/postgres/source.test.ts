/** The source's connections within one process. */

import { expect, inject, test } from 'vitest';
import { connect } from '../../src/postgres/connect.ts';
import { Source } from '../../src/postgres/source.ts';
import { never } from '../support/state.ts';

function openSource(
  max: number,
  connectTo = (signal: AbortSignal) => connect({ role: 'source', url: inject('postgresUrl') }, signal),
) {
  return new Source({ connect: connectTo, max, statementTimeoutMs: 10_000 });
}

/** A use() that goes on until it is told to end. */
function hold(source: Source) {
  const began = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const ended = source.use(async () => {
    began.resolve();
    await end.promise;
  }, never);
  return {
    began: began.promise,
    end: () => {
      end.resolve();
      return ended;
    },
  };
}

test('a connection that is free is lent; when all are in use, useIfFree() does nothing and use() waits', async () => {
  await using source = openSource(2);
  const first = hold(source);
  await first.began;
  expect(await source.useIfFree(async () => 'second', never)).toBe('second');
  const second = hold(source);
  await second.began;
  expect(await source.useIfFree(async () => 'third', never)).toBeNull();
  const waited = source.use(async () => 'third', never);
  // The waiting one comes before a helper.
  await second.end();
  expect(await waited).toBe('third');
  expect(await source.useIfFree(async () => 'fourth', never)).toBe('fourth');
  await first.end();
});

test('who waits is woken when another one could not connect', async () => {
  let attempts = 0;
  const source = openSource(1, async () => {
    attempts++;
    throw new Error(`attempt ${attempts}`);
  });
  const uses = [1, 2, 3].map(() => source.use(async () => null, never));
  const ends = await Promise.allSettled(uses);
  expect(ends.map((end) => end.status === 'rejected' && (end.reason as Error).message)).toEqual([
    'attempt 1',
    'attempt 2',
    'attempt 3',
  ]);
});
