/**
 * Roaring bitmaps of 32-bit values in their portable form (github.com/RoaringBitmap/RoaringFormatSpec). Read with every kind of container,
 * written with two. All numbers little endian.
 */

/** Blocks of 2^16 values; a block is an array of up to so many values, or a bitmap. */
const MAX_ARRAY = 4096;
const BITMAP_BYTES = 8192;
const COOKIE_WITHOUT_RUNS = 12346;
const COOKIE_WITH_RUNS = 12347;
/** With runs, fewer containers than this have no table of offsets. */
const MIN_OFFSETS = 4;

/** `values`: ascending, each once, below 2^32. */
export function encodeRoaring(values: readonly number[]): Buffer {
  const containers: { key: number; count: number; body: Buffer }[] = [];
  for (let from = 0; from < values.length; ) {
    const key = Math.floor(values[from] / 0x10000);
    let to = from + 1;
    while (to < values.length && Math.floor(values[to] / 0x10000) === key) to++;
    containers.push({ key, count: to - from, body: container(values, from, to) });
    from = to;
  }
  const header = Buffer.alloc(8 + containers.length * 8);
  header.writeUInt32LE(COOKIE_WITHOUT_RUNS, 0);
  header.writeUInt32LE(containers.length, 4);
  let offset = header.length;
  for (const [i, { key, count, body }] of containers.entries()) {
    header.writeUInt16LE(key, 8 + i * 4);
    header.writeUInt16LE(count - 1, 10 + i * 4);
    header.writeUInt32LE(offset, 8 + containers.length * 4 + i * 4);
    offset += body.length;
  }
  return Buffer.concat([header, ...containers.map(({ body }) => body)]);
}

function container(values: readonly number[], from: number, to: number): Buffer {
  if (to - from <= MAX_ARRAY) {
    const body = Buffer.alloc((to - from) * 2);
    for (let i = from; i < to; i++) body.writeUInt16LE(values[i] % 0x10000, (i - from) * 2);
    return body;
  }
  const body = Buffer.alloc(BITMAP_BYTES);
  for (let i = from; i < to; i++) {
    const low = values[i] % 0x10000;
    body[low >> 3] |= 1 << (low & 7);
  }
  return body;
}

/**
 * Adds the values of the bitmap that begins at `at` to `values`, each plus `base`; returns where it ends. Throws a RangeError when the
 * bytes end before it does, or are none.
 */
export function decodeRoaring(bytes: Buffer, at: number, base: number, values: number[]): number {
  const cookie = bytes.readUInt32LE(at);
  at += 4;
  let count: number;
  let runs: Buffer | null = null;
  if ((cookie & 0xffff) === COOKIE_WITH_RUNS) {
    count = (cookie >>> 16) + 1;
    const length = Math.ceil(count / 8);
    runs = part(bytes, at, length);
    at += length;
  } else if (cookie === COOKIE_WITHOUT_RUNS) {
    count = bytes.readUInt32LE(at);
    at += 4;
  } else {
    throw new RangeError(`no roaring bitmap begins with ${cookie}`);
  }
  const heads = part(bytes, at, count * 4);
  at += heads.length;
  // The containers stand one after another: where each begins need not be looked up.
  if (!runs || count >= MIN_OFFSETS) at += count * 4;
  for (let i = 0; i < count; i++) {
    const first = base + heads.readUInt16LE(i * 4) * 0x10000;
    const size = heads.readUInt16LE(i * 4 + 2) + 1;
    if (runs && runs[i >> 3] & (1 << (i & 7))) at = readRuns(bytes, at, first, values);
    else if (size <= MAX_ARRAY) at = readArray(bytes, at, size, first, values);
    else at = readBitmap(bytes, at, first, values);
  }
  return at;
}

function readRuns(bytes: Buffer, at: number, first: number, values: number[]): number {
  const runs = part(bytes, at + 2, bytes.readUInt16LE(at) * 4);
  for (let i = 0; i < runs.length; i += 4) {
    const start = first + runs.readUInt16LE(i);
    const last = start + runs.readUInt16LE(i + 2);
    for (let value = start; value <= last; value++) values.push(value);
  }
  return at + 2 + runs.length;
}

function readArray(bytes: Buffer, at: number, size: number, first: number, values: number[]): number {
  const body = part(bytes, at, size * 2);
  for (let i = 0; i < body.length; i += 2) values.push(first + body.readUInt16LE(i));
  return at + body.length;
}

function readBitmap(bytes: Buffer, at: number, first: number, values: number[]): number {
  const body = part(bytes, at, BITMAP_BYTES);
  for (let i = 0; i < BITMAP_BYTES; i++) {
    for (let bits = body[i], value = first + i * 8; bits > 0; bits >>= 1, value++) if (bits & 1) values.push(value);
  }
  return at + BITMAP_BYTES;
}

/** subarray() would give fewer bytes in silence. */
function part(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new RangeError(`${at + length - bytes.length} bytes are missing`);
  return bytes.subarray(at, at + length);
}
