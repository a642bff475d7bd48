/**
 * The spool: a folder on the local disk for the lake's files that DuckDB reads and for those that it writes. Invariant: a
 * local path that was handed out stays whole and unchanged until it is given back; the disk does not grow past the limit.
 *
 *     <path>/own/<process>/   new/ arriving, in/ copies in use, out/ outputs, temp/ DuckDB's; gone with the process
 *     <path>/cache/<boot>/<lake>/<key and etag>-<bytes>   shared by all processes
 */

import { link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { onDisk } from '../lake/filled-file.ts';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import { ARRIVING, CACHE, COPIES, OWN } from './contents.ts';
import { createGate, type Gate } from './gate.ts';
import { BEAT_MS, bootId, isDead, ownerName, short } from './owner.ts';
import { createRoom, type Room } from './room.ts';

/** A file of the lake on the local disk; read it, never write to it. Disposing gives it back. */
export type LocalFile = AsyncDisposable & { path: string };

export type SpoolSettings = { path: string; limitBytes: number };

// Each takes up to four connections.
const FETCHES_AT_ONCE = 6;

/** This process's part of a spool. Its owner disposes it; a process that dies leaves that to the next one that opens the spool. */
export class Spool implements AsyncDisposable {
  /** This process's own folder. */
  readonly folder: string;
  /** For DuckDB's temp_directory; made by DuckDB. */
  readonly tempFolder: string;
  readonly #lake: Lake;
  readonly #cache: string;
  readonly #room: Room;
  readonly #gate: Gate = createGate(FETCHES_AT_ONCE);
  readonly #beat: NodeJS.Timeout;
  #copies = 0;

  private constructor(folder: string, cache: string, lake: Lake, room: Room) {
    this.folder = folder;
    this.tempFolder = join(folder, 'temp');
    this.#lake = lake;
    this.#cache = cache;
    this.#room = room;
    this.#beat = setInterval(() => {
      const now = new Date();
      utimes(folder, now, now).catch(() => {});
    }, BEAT_MS).unref();
  }

  /** Makes this process's folder below `path`, and removes those of dead processes. Throws SPOOL_FAILED, SPOOL_FULL. */
  static async open({ path, limitBytes }: SpoolSettings, lake: Lake, log: Logger): Promise<Spool> {
    return onDisk(path, async () => {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await checkOwner(path);
      const folder = join(path, OWN, await ownerName());
      for (const name of [COPIES, ARRIVING, 'out']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
      const boot = await bootId();
      // The lake's URL has no endpoint: keys hold UUIDs and the state store's id, which two lakes share only as copies.
      const cache = join(path, CACHE, boot, short(lake.url));
      await mkdir(cache, { recursive: true, mode: 0o700 });
      await sweep(path, boot, log);
      return new Spool(
        folder,
        cache,
        lake,
        createRoom(path, folder, limitBytes, () => performance.now()),
      );
    });
  }

  /** Where an output of this name goes; a name is used once at a time. */
  path(name: string): string {
    return join(this.folder, 'out', name);
  }

  /** Bytes that may still be used, cached files that nobody uses counted as free. */
  available(): Promise<number> {
    return this.#room.available();
  }

  /** Bytes that are in use, by this process or, as far as it shows on the disk, by others. */
  used(): Promise<number> {
    return this.#room.used();
  }

  /** Holds room for outputs and temporary files; what is written uses it up. Throws SPOOL_FULL. */
  reserve(bytes: number): Promise<Disposable> {
    return this.#room.reserve(bytes);
  }

  /**
   * The lake's file on the local disk: its own path in a local lake, else a copy, fetched unless the cache has it.
   * Files of a lake never change: without an etag, key and size say which file it is.
   * Throws LAKE_NOT_FOUND, LAKE_CHANGED (it has other bytes than `known`), SPOOL_FULL, and what the lake throws.
   */
  async read(key: string, known: { bytes: number; etag?: string }, signal: AbortSignal): Promise<LocalFile> {
    signal.throwIfAborted();
    const there = this.#lake.localPath(key);
    if (there !== null) {
      await checkLocal(there, key, known.bytes);
      return { path: there, async [Symbol.asyncDispose]() {} };
    }
    const copy = join(this.folder, COPIES, `${++this.#copies}.parquet`);
    const cached = this.#cached(key, known);
    await onDisk(copy, async () => {
      const taken = await this.#room.take(cached, () => takeCached(cached, copy, known.bytes));
      if (!taken) await this.#fetch(key, known, cached, copy, signal);
    });
    return {
      path: copy,
      async [Symbol.asyncDispose]() {
        await rm(copy, { force: true });
      },
    };
  }

  /**
   * Makes an output the lake's file `key`; resolves once durable, the local file then gone. `keep`: the cache has a copy
   * for whoever reads it next (default true). Throws what Lake.putFile throws.
   */
  async land(path: string, key: string, signal: AbortSignal, { keep = true } = {}): Promise<void> {
    await this.#lake.putFile(key, path, signal);
    if (keep && this.#lake.localPath(key) === null) {
      const { size } = await stat(path);
      const cached = this.#cached(key, { bytes: size });
      // A cache without it costs a fetch.
      await this.#room.move(() => rename(path, cached).catch(() => {}));
    }
    await rm(path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #cached(key: string, { bytes, etag }: { bytes: number; etag?: string }): string {
    return join(this.#cache, `${short(`${key}\0${etag ?? ''}`)}-${bytes}`);
  }

  async #fetch(
    key: string,
    known: { bytes: number; etag?: string },
    cached: string,
    copy: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#gate(signal, async () => {
      using arrival = await this.#room.expect(known.bytes, key);
      const arriving = join(this.folder, ARRIVING, `${short(copy)}`);
      await this.#lake.fetchFile(key, arriving, signal, known);
      await arrival.arrive(() => rename(arriving, copy));
    });
    // Another process may have been faster; a file system without hard links has no cache.
    await link(copy, cached).catch(() => {});
  }
}

/** Gives the cached file a second name, which no other process's eviction takes away. */
async function takeCached(cached: string, copy: string, bytes: number): Promise<boolean> {
  try {
    await link(cached, copy);
    const { size } = await stat(copy);
    if (size === bytes) {
      const now = new Date();
      await utimes(copy, now, now);
      return true;
    }
    // Somebody cut it.
    await rm(copy);
    await rm(cached, { force: true });
    return false;
  } catch {
    return false;
  }
}

async function checkLocal(path: string, key: string, bytes: number): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new TidemarkError('LAKE_NOT_FOUND', 'no such file in the lake', { key });
  if (found.size === bytes) return;
  const what = `it has ${found.size} bytes, and had ${bytes}`;
  throw new TidemarkError('LAKE_CHANGED', `a file of the lake was changed: ${what}`, { key });
}

/** Where everybody may make folders, somebody could have made this one first, to read along or to hand us their files. */
async function checkOwner(path: string): Promise<void> {
  const { uid } = await stat(path);
  if (process.getuid === undefined || [0, process.getuid()].includes(uid)) return;
  const hint = 'set `spool.path` to a folder of the user that runs tidemark';
  throw new TidemarkError('SPOOL_FAILED', `${path} belongs to another user`, { hint });
}

/** Removes what dead processes left, and caches from before the machine's last start: those bytes may never have reached the disk. */
async function sweep(path: string, boot: string, log: Logger): Promise<void> {
  const gone = (folder: string) => rm(folder, { recursive: true, force: true }).catch(() => {});
  for (const name of await readdir(join(path, OWN))) {
    const folder = join(path, OWN, name);
    if (!(await isDead(folder, name, Date.now()))) continue;
    log.info({ folder }, 'the spool of a process that died is removed');
    await gone(folder);
  }
  for (const name of await readdir(join(path, CACHE))) if (name !== boot) await gone(join(path, CACHE, name));
}
