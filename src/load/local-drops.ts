/** Drops in a folder. Invariant: a file is known by size and time to the nanosecond, compared again once it was read. */

import { type BigIntStats, type Dirent, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../lake/local-errors.ts';
import { TidemarkError } from '../model/error.ts';
import type { Drop } from './drop.ts';
import type { DropSource } from './drop-source.ts';
import type { Glob } from './glob.ts';
import { globsOf, type Place } from './place.ts';

type Folder = Extract<Place, { kind: 'file' }>;

export function openLocalDrops(place: Folder): DropSource {
  return {
    url: `file:${path.join(place.root, place.pattern)}`,
    async *list(days, signal, start) {
      requireFolder(place.root);
      for (const { prefix, globs } of globsOf(place, days)) {
        yield* listFolder(place, { prefix, globs, after: (await start?.(prefix)) ?? null }, signal);
      }
    },
    async read(drop, parse, signal) {
      const file = path.join(place.root, drop.key);
      const read = await parse({ path: file });
      signal.throwIfAborted();
      const after = statOf(file);
      return after !== null && etagOf(after) === drop.etag ? read : 'gone';
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A mistyped folder would look like one without drops for ever. */
function requireFolder(root: string): void {
  if (statOf(root)) return;
  throw new TidemarkError('LAKE_NOT_FOUND', `there is no folder ${root} for the drops`, {
    hint: 'make it, or correct `from:`, which is relative to the configuration file',
  });
}

async function* listFolder(
  place: Folder,
  { prefix, globs, after }: { prefix: string; globs: Glob[]; after: string | null },
  signal: AbortSignal,
): AsyncIterable<Drop> {
  // By bytes, as S3 and the ledger sort.
  const from = after === null ? null : Buffer.from(after);
  const depth = Math.max(...globs.map((glob) => glob.depth));
  const names = walk(place.root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, depth, signal);
  for await (const found of names) {
    for (const key of found) {
      if (from !== null && Buffer.compare(Buffer.from(key), from) <= 0) continue;
      if (!globs.some((glob) => glob.matches(key))) continue;
      signal.throwIfAborted();
      const about = statOf(path.join(place.root, key));
      if (about?.isFile()) yield { key, bytes: Number(about.size), etag: etagOf(about) };
    }
  }
}

/** The files below a folder, a folder's at a time, in the order of their names; `depth`: the most parts of a name. */
async function* walk(
  root: string,
  folder: string,
  prefix: string,
  depth: number,
  signal: AbortSignal,
): AsyncIterable<string[]> {
  signal.throwIfAborted();
  let files: string[] = [];
  for (const entry of await entriesOf(path.join(root, folder))) {
    const name = folder + entry.name;
    if (!entry.isDirectory()) {
      if (name.startsWith(prefix)) files.push(name);
    } else if (name.split('/').length < depth && (name.startsWith(prefix) || prefix.startsWith(`${name}/`))) {
      if (files.length > 0) yield files;
      files = [];
      yield* walk(root, `${name}/`, prefix, depth, signal);
    }
  }
  if (files.length > 0) yield files;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const order = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name);
    return entries.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  } catch (error) {
    // Today's folder need not be there yet, and one may go while we walk.
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
    throw unreadable(error, folder);
  }
}

/** Not asynchronous: that costs the CPU ten times as much, half a second for 10,000 drops. */
function statOf(file: string): BigIntStats | null {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
    throw unreadable(error, file);
  }
}

const etagOf = ({ size, mtimeNs }: BigIntStats) => `${size}-${mtimeNs}`;

function unreadable(cause: unknown, at: string): TidemarkError {
  const hint = 'the user that runs tidemark must be allowed to read the folder of the drops';
  return new TidemarkError('LAKE_DENIED', `${at} cannot be read (${systemCode(cause)})`, { hint, cause });
}
