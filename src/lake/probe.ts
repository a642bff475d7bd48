/** Tries what doctor asks of a lake. Invariant: everything lies under `_probe/` and is gone afterwards. */

import { randomUUID } from 'node:crypto';
import { TidemarkError } from '../model/error.ts';
import type { Lake } from './lake.ts';

const RACERS = 8;

/**
 * Whether putIfAbsent refuses a key that is taken: twice after another, and eight at once, of which one may win (a server
 * that looks and then writes passes the first).
 */
export async function probePutIfAbsent(lake: Lake, signal: AbortSignal): Promise<'honoured' | 'ignored'> {
  const keys = [`_probe/${randomUUID()}`, `_probe/${randomUUID()}`];
  try {
    await lake.putIfAbsent(keys[0], Buffer.from('first'), signal);
    if ((await lake.putIfAbsent(keys[0], Buffer.from('second'), signal)) === 'created') return 'ignored';
    const racers = Array.from({ length: RACERS }, (_, n) =>
      lake.putIfAbsent(keys[1], Buffer.from(`racer ${n}`), signal),
    );
    const wins = (await Promise.all(racers)).filter((each) => each === 'created').length;
    return wins === 1 ? 'honoured' : 'ignored';
  } finally {
    if (!signal.aborted) await lake.delete(keys, signal);
  }
}

/** Does once whatever an export does to a lake. Throws what failed, with the permission that is missing as the hint. */
export async function probeWritable(lake: Lake, signal: AbortSignal): Promise<void> {
  const key = `_probe/${randomUUID()}`;
  const owner = { run: 0n, token: 0n };
  const body = Buffer.from(`tidemark probe ${key}`);
  const upload = await lake.startUpload(key, owner, signal);
  try {
    await upload.write(body);
    await lake.completeUpload(await upload.finish(), owner, signal);
    const back = await lake.get(key, signal);
    const listed: string[] = [];
    for await (const each of lake.list(key, signal)) listed.push(each.key);
    if (!back.equals(body) || !listed.includes(key)) {
      throw new TidemarkError('LAKE_FAILED', 'the lake does not give back what was written', { key });
    }
    await lake.abortUploads(key, signal);
  } catch (error) {
    await upload.abort();
    await lake.delete([key], signal).catch(() => {});
    throw error;
  }
  await lake.delete([key], signal);
}
