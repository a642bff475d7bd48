/** Parquet's RLE / bit-packed hybrid, for levels and dictionary indices. Invariant: a literal run before the last holds a multiple of 8 values. */

/** The bits that hold every number below `size`; at least 1, since some readers refuse 0. */
export function bitWidth(size: number): number {
  return Math.max(1, 32 - Math.clz32(size - 1));
}

/** The most bytes that `writeHybrid` takes for so many values. */
export function hybridBound(count: number, width: number): number {
  return 16 + Math.ceil(count / 8) * width + (count >> 4);
}

/** Writes values[from, to), each below 2^width (width at most 16), at `out[at]`. Returns the position behind the last byte. */
export function writeHybrid(
  values: Uint8Array | Uint16Array,
  from: number,
  to: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  // A shorter run costs more as a run of its own than as the literals it interrupts.
  const worthwhile = Math.max(8, 64 / width);
  let position = at;
  let literals = from;
  let start = from;
  while (start + 8 <= to) {
    const value = values[start];
    // Both ends first: data without runs costs two loads in eight values here.
    if (value !== values[start + 7] || value !== values[start + 1] || value !== values[start + 4]) {
      start += 8;
      continue;
    }
    let end = start + 1;
    while (end < to && values[end] === value) end++;
    if (end - start < worthwhile) {
      start += Math.max(8, (end - start) & ~7);
      continue;
    }
    position = writeLiterals(values, literals, start, width, out, position);
    position = writeRun(value, end - start, width, out, position);
    literals = end;
    start = end;
  }
  return writeLiterals(values, literals, to, width, out, position);
}

/** Writes one run: `count` times `value`. Returns the position behind the last byte. */
export function writeRun(value: number, count: number, width: number, out: Uint8Array, at: number): number {
  if (count === 0) return at;
  let position = writeVarint(count * 2, out, at);
  out[position++] = value;
  if (width > 8) out[position++] = value >>> 8;
  return position;
}

function writeLiterals(
  values: Uint8Array | Uint16Array,
  from: number,
  to: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  if (from === to) return at;
  const groups = (to - from + 7) >>> 3;
  let position = writeVarint(groups * 2 + 1, out, at);
  const end = position + groups * width;
  let word = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    word |= values[i] << bits;
    bits += width;
    if (bits >= 16) {
      out[position] = word;
      out[position + 1] = word >>> 8;
      position += 2;
      word >>>= 16;
      bits -= 16;
    }
  }
  while (position < end) {
    out[position++] = word;
    word >>>= 8;
  }
  return end;
}

/** An unsigned LEB128 number below 2^32. Returns the position behind its last byte. */
export function writeVarint(value: number, out: Uint8Array, at: number): number {
  let rest = value;
  let position = at;
  while (rest > 127) {
    out[position++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[position++] = rest;
  return position;
}
