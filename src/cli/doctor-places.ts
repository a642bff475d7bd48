/** doctor's look at the lake. Invariant: whatever it tries there is gone afterwards. */

import { access, constants, rmdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { openLake } from '../lake/open.ts';
import { probePutIfAbsent, probeWritable } from '../lake/probe.ts';
import { parseLakeUrl } from '../lake/url.ts';
import { formatBytes } from '../model/format.ts';
import type { CommandContext } from './context.ts';
import { type Check, failed } from './doctor-check.ts';

const LAKE_MS = 60_000;
const LITTLE_BYTES = 1e9;

export async function checkLake(config: Config, context: CommandContext): Promise<Check[]> {
  const address = parseLakeUrl(config.lake.url, config.baseDir);
  const madeHere = address.kind === 'file' && !(await exists(address.root)) ? address.root : null;
  const limit = AbortSignal.any([context.signal, AbortSignal.timeout(LAKE_MS)]);
  const checks: Check[] = [];
  try {
    await using lake = await openLake(config.lake);
    await probeWritable(lake, limit);
    checks.push({
      group: 'lake',
      check: 'writable',
      state: 'ok',
      found: `${lake.url}: written, read, listed, deleted`,
    });
    const kept = (await probePutIfAbsent(lake, limit)) === 'honoured';
    checks.push({
      group: 'lake',
      check: 'put-if-absent',
      state: kept ? 'ok' : 'fail',
      found: kept
        ? 'honoured: nothing is overwritten'
        : 'the server ignores If-None-Match and overwrites: only leases keep two exports from each other’s files, and two writers of a staged table from each other’s versions',
      remedy: kept
        ? undefined
        : 'use a server that honours If-None-Match: * (AWS S3 does); until then let nothing but tidemark write there',
    });
  } catch (error) {
    context.signal.throwIfAborted();
    checks.push(
      failed(
        'lake',
        checks.length === 0 ? 'writable' : 'put-if-absent',
        limit.aborted ? new Error(`no answer within ${LAKE_MS / 1000} s`) : error,
      ),
    );
  }
  if (address.kind === 'file') checks.push(await room(address.root));
  if (madeHere) await unmake(madeHere);
  return checks;
}

/** A lake's folder that only the probe has made: it is empty, or it stays. */
async function unmake(root: string): Promise<void> {
  for (const folder of ['_uploads', '_probe', '.']) await rmdir(path.join(root, folder)).catch(() => {});
}

/** Free space where the folder is, or will be. */
async function room(folder: string): Promise<Check> {
  const [group, check] = ['lake', 'room'] as const;
  try {
    let there = folder;
    while (!(await exists(there))) there = path.dirname(there);
    await access(there, constants.W_OK);
    const { bavail, bsize } = await statfs(there);
    const free = `${folder}: ${formatBytes(bavail * bsize)} free`;
    if (bavail * bsize >= LITTLE_BYTES) return { group, check, state: 'ok', found: free };
    const remedy = 'free space, or put the lake elsewhere';
    return { group, check, state: 'warn', found: `${free}, less than ${formatBytes(LITTLE_BYTES)}`, remedy };
  } catch (error) {
    return {
      ...failed(group, check, error),
      found: `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`,
    };
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
