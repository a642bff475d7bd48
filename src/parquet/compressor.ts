/** Compression of pages, on libuv's threads when it is worth a thread. Invariant: at most LANES pages are under way at once. */

import { promisify } from 'node:util';
import zlib from 'node:zlib';

export type Codec = 'zstd' | 'gzip' | 'none';

/** Fewer would leave a core idle; all four of libuv's would make file writes and name look-ups wait. */
const LANES = 3;
/** Below this a thread's way there and back costs the main thread more than compressing at once. */
const SYNCHRONOUS = 12 * 1024;
/** One huge value must not take its size again for the output at once. */
const MOST_CHUNK = 4 * 1024 * 1024;
/** Pooled page buffers beyond this are left to the garbage collector. */
const MOST_FREE = 32 * 1024 * 1024;

const zstd = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);

/** Serves any number of encoders at once; they then share its lanes and its page buffers. */
export class Compressor {
  readonly codec: Codec;
  readonly #level: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #free: Buffer[] = [];
  #freeBytes = 0;

  /** `level` as the codec counts it: zstd 1 to 22 (default 1), gzip 1 to 9 (default 6). */
  constructor(codec: Codec = 'zstd', level?: number) {
    this.codec = codec;
    this.#level = level ?? (codec === 'gzip' ? 6 : 1);
  }

  /** A buffer of at least so many bytes to lay a page out in; `compress` takes it back. */
  page(bytes: number): Buffer {
    if (this.codec === 'none' || bytes <= SYNCHRONOUS) return Buffer.allocUnsafe(bytes);
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const length = this.#free[i].length;
      // The tightest fit: a small page in a big buffer would make the next big page take fresh memory.
      if (length >= bytes && (best < 0 || length < this.#free[best].length)) best = i;
    }
    if (best >= 0) {
      const [buffer] = this.#free.splice(best, 1);
      this.#freeBytes -= buffer.length;
      return buffer;
    }
    // Rounded up, so that pages of nearly the same size share buffers.
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / 0x10000) * 0x10000);
  }

  /**
   * The first `size` bytes of a buffer that `page` gave, by this compressor's codec or left as they are; the buffer is no longer the
   * caller's. Small pages come without a promise. `expected`: bytes that the output will hardly exceed.
   */
  compress(page: Buffer, size: number, codec: Codec = this.codec, expected = size): Buffer | Promise<Buffer> {
    const bytes = page.subarray(0, size);
    if (codec === 'none') return bytes;
    if (size > SYNCHRONOUS) return this.#compressLater(page, bytes, expected);
    const small = this.#compressNow(bytes);
    this.#release(page);
    return small;
  }

  /** How many bytes a small sample takes when compressed. */
  compressedSize(sample: Buffer): number {
    return this.codec === 'none' ? sample.length : this.#compressNow(sample).length;
  }

  #compressNow(bytes: Buffer): Buffer {
    return this.codec === 'zstd'
      ? zlib.zstdCompressSync(bytes, this.#zstd(bytes.length))
      : zlib.gzipSync(bytes, this.#gzip(bytes.length));
  }

  async #compressLater(page: Buffer, bytes: Buffer, expected: number): Promise<Buffer> {
    if (this.#running >= LANES) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#running++;
    try {
      return await (this.codec === 'zstd'
        ? zstd(bytes, this.#zstd(bytes.length, expected))
        : gzip(bytes, this.#gzip(expected)));
    } finally {
      this.#release(page);
      const next = this.#waiting.shift();
      // The lane goes over to the next one; freed first, a newcomer could take it as well.
      if (next) next();
      else this.#running--;
    }
  }

  #release(page: Buffer): void {
    if (page.length <= SYNCHRONOUS || this.#freeBytes + page.length > MOST_FREE) return;
    this.#free.push(page);
    this.#freeBytes += page.length;
  }

  #zstd(size: number, expected = size): zlib.ZstdOptions {
    return {
      chunkSize: chunkFor(expected),
      pledgedSrcSize: size,
      params: { [zlib.constants.ZSTD_c_compressionLevel]: this.#level },
    };
  }

  #gzip(size: number): zlib.ZlibOptions {
    return { chunkSize: chunkFor(size), level: this.#level };
  }
}

/** Room for all of the output: every further chunk is another trip to the threads. The buffer lives as long as the output. */
function chunkFor(expected: number): number {
  return Math.min(MOST_CHUNK, expected + (expected >>> 7) + 512);
}
