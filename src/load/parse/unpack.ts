/**
 * A drop's bytes, unpacked, block after block. Invariant: a packed drop that is cut, damaged or followed by anything else is Unreadable before its
 * last block is called the last, and never is more unpacked than the limits allow. What packs it is told by its first bytes, not by its name.
 */

import { isUtf8 } from 'node:buffer';
import { createHash, hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createGunzip, createZstdDecompress, type Gunzip, gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { LoadSettings } from '../settings.ts';
import { Unreadable } from './block-reader.ts';

export type Source =
  | { bytes: Uint8Array }
  /** `content`: a hash of the packed bytes, once all of them were read. */
  | { path: string; content?: string };

/** Up to here a drop is unpacked at once, which is several times faster than a stream; beyond it block by block. */
const AT_ONCE = 16 * 1024 * 1024;
const PACKED_AT_ONCE = 4 * 1024 * 1024;
const BLOCK = 1024 * 1024;
/** So little is harmless at any ratio. */
const FREE_OF_RATIO = 1024 * 1024;

type Limits = LoadSettings['limits'];
type Packing = 'gzip' | 'zstd' | 'none';

export async function* unpacked(source: Source, name: string, limits: Limits): AsyncGenerator<Buffer> {
  if ('bytes' in source) {
    const bytes = Buffer.from(source.bytes.buffer, source.bytes.byteOffset, source.bytes.length);
    yield* unpackedBytes(bytes, name, limits);
    return;
  }
  const file = openSync(source.path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size <= PACKED_AT_ONCE) {
      const whole = wholeFile(file, size);
      source.content = hash('sha1', whole);
      yield* unpackedBytes(whole, name, limits);
    } else yield* unpackedStream(hashed(fileBlocks(file), source), size, name, limits);
  } finally {
    closeSync(file);
  }
}

function* hashed(blocks: Iterable<Buffer>, source: { content?: string }): Iterable<Buffer> {
  const sum = createHash('sha1');
  for (const block of blocks) {
    sum.update(block);
    yield block;
  }
  source.content = sum.digest('hex');
}

async function* unpackedBytes(bytes: Buffer, name: string, limits: Limits): AsyncGenerator<Buffer> {
  const packing = packingOf(bytes, name);
  if (packing === 'none') {
    if (bytes.length > limits.inflatedBytes) throw tooLarge(limits);
    yield bytes;
    return;
  }
  const most = Math.min(AT_ONCE, mostUnpacked(bytes.length, limits));
  const whole = bytes.length <= PACKED_AT_ONCE ? atOnce(bytes, packing, most) : null;
  if (whole) {
    yield whole;
    return;
  }
  // Blocks, so that no more than one of them is unpacked ahead.
  const blocks = function* () {
    for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
  };
  yield* unpackedStream(blocks(), bytes.length, name, limits);
}

/** Null: it is larger than `most`. */
function atOnce(bytes: Buffer, packing: Packing, most: number): Buffer | null {
  try {
    if (packing === 'gzip') {
      // The last four bytes say how much it is, unless they lie.
      const chunkSize = Math.max(
        1024,
        Math.min(bytes.length > 4 ? bytes.readUInt32LE(bytes.length - 4) + 16 : 0, most),
      );
      const { buffer, engine } = gunzipSync(bytes, {
        maxOutputLength: most,
        chunkSize,
        info: true,
      }) as unknown as Unpacked;
      letGo(engine);
      if (engine.bytesWritten !== bytes.length) throw new Unreadable('gzip: something follows its end');
      return buffer;
    }
    const frames: Buffer[] = [];
    let room = most;
    for (let at = 0; at < bytes.length; ) {
      const frame = bytes.subarray(at);
      const options = { maxOutputLength: room, chunkSize: 128 * 1024, info: true };
      const { buffer, engine } = zstdDecompressSync(frame, options) as unknown as Unpacked;
      letGo(engine);
      frames.push(buffer);
      room -= buffer.length;
      if (room <= 0) return null;
      at += engine.bytesWritten;
      if (at < bytes.length && packingOf(bytes.subarray(at), '') !== 'zstd') {
        throw new Unreadable('zstd: something follows its end');
      }
    }
    return frames.length === 1 ? frames[0] : Buffer.concat(frames);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw unreadable(error, packing);
  }
}

type Unpacked = { buffer: Buffer; engine: Engine };
type Engine = { bytesWritten: number; _outBuffer?: Buffer | null };

/** An engine, though closed, lives until the next full collection, and what it unpacked with it: 60 MB a thread. */
function letGo(engine: Engine): void {
  engine._outBuffer = null;
}

async function* unpackedStream(
  blocks: Iterable<Buffer>,
  size: number,
  name: string,
  limits: Limits,
): AsyncGenerator<Buffer> {
  const all = blocks[Symbol.iterator]();
  const first: Buffer = all.next().value ?? Buffer.alloc(0);
  const packing = packingOf(first, name);
  const rest = (function* () {
    yield first;
    yield* { [Symbol.iterator]: () => all };
  })();
  const most = packing === 'none' ? limits.inflatedBytes : mostUnpacked(size, limits);
  let total = 0;
  for await (const block of packing === 'none' ? rest : unpackedFrames(rest, packing)) {
    total += block.length;
    if (total > most) throw total > limits.inflatedBytes ? tooLarge(limits) : tooDense(limits);
    yield block;
  }
}

/** gzip's members are one stream to Node, zstd's frames end it wherever one ends within a block. */
async function* unpackedFrames(blocks: Iterable<Buffer>, packing: 'gzip' | 'zstd'): AsyncGenerator<Buffer> {
  const all = blocks[Symbol.iterator]();
  for (let block = all.next().value; block !== undefined; ) {
    const unpack = (packing === 'gzip' ? createGunzip : createZstdDecompress)({ chunkSize: BLOCK }) as Gunzip;
    const left = fed(unpack, block, all);
    try {
      for await (const output of unpack) yield output;
    } catch (error) {
      throw unreadable(error, packing);
    } finally {
      unpack.destroy();
    }
    block = (await left) ?? all.next().value;
    if (block !== undefined && (packing === 'gzip' || packingOf(block, '') !== 'zstd')) {
      throw new Unreadable(`${packing}: something follows its end`);
    }
  }
}

/** Writes block after block, each once the one before it is taken in; what a stream that has ended left of its last block. */
async function fed(unpack: Gunzip, first: Buffer, all: Iterator<Buffer>): Promise<Buffer | undefined> {
  let given = 0;
  for (let block: Buffer | undefined = first; block !== undefined; block = all.next().value) {
    given += block.length;
    const written = await new Promise<boolean>((resolve) => unpack.write(block, (error) => resolve(!error)));
    // The reader has the error.
    if (!written) return undefined;
    const left = given - unpack.bytesWritten;
    if (left > 0) return block.subarray(block.length - left);
  }
  unpack.end();
  return undefined;
}

/** Throws Unreadable where the name promises what the bytes are not. */
function packingOf(first: Buffer, name: string): Packing {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  if (first.length >= 4) {
    const magic = first.readUInt32LE(0);
    if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd';
  }
  const promised = /\.(gz|gzip)$/i.test(name) ? 'gzip' : /\.(zst|zstd)$/i.test(name) ? 'zstd' : null;
  if (promised && first.length === 0) throw new Unreadable(`${promised}: empty`);
  // Some clients unpack on their way to S3 and leave the name.
  if (promised && !isTextual(first.subarray(0, 256))) {
    throw new Unreadable(`not ${promised}, which its name promises`);
  }
  return 'none';
}

/** Whether a text can begin so; of three bytes nobody can tell. */
function isTextual(begin: Buffer): boolean {
  const control = begin.some((c) => c < 32 && c !== 9 && c !== 10 && c !== 13);
  // A character may be cut by the end of what is looked at.
  const utf8 = [0, 1, 2, 3].some((cut) => isUtf8(begin.subarray(0, begin.length - cut)));
  return begin.length > 3 && !control && utf8;
}

function mostUnpacked(packed: number, limits: Limits): number {
  return Math.min(limits.inflatedBytes, Math.max(FREE_OF_RATIO, packed * limits.ratio));
}

function tooLarge({ inflatedBytes }: Limits): Unreadable {
  return new Unreadable(`more than ${inflatedBytes} bytes (limits.inflated)`);
}

function tooDense({ ratio }: Limits): Unreadable {
  return new Unreadable(`unpacks to more than ${ratio} times its size (limits.ratio)`);
}

function unreadable(error: unknown, packing: string): unknown {
  if (error instanceof Unreadable) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return /^(Z_|ZSTD_|ERR_ZLIB)/.test(code ?? '') ? new Unreadable(`${packing}: ${message}`) : error;
}

function wholeFile(file: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.length; length += read)
    read = readSync(file, bytes, length, bytes.length - length, null);
  return bytes.subarray(0, length);
}

function* fileBlocks(file: number): Generator<Buffer> {
  while (true) {
    const block = Buffer.allocUnsafeSlow(BLOCK);
    const read = readSync(file, block);
    if (read === 0) return;
    yield block.subarray(0, read);
  }
}
