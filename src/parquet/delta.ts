/** DELTA_BINARY_PACKED for int32 and int64. Invariant: written only where every step is exact in a double and fits the type's own bits. */

import { writeVarint } from './hybrid.ts';

const BLOCK = 128;
const MINIBLOCK = 32;
const TWO_32 = 2 ** 32;
// Beyond this a double skips integers.
const EXACT = 2 ** 53;
// Two such steps lie less than 2^53 apart, so a step's excess over the least one is exact too.
const LONGEST_STEP = 2 ** 52;

/** The most bytes that `writeDelta` takes for so many values whose steps need `width` bits. */
export function deltaBound(count: number, width: number): number {
  return 64 + Math.ceil(count / BLOCK) * (16 + (width * BLOCK) / 8);
}

/**
 * Fills steps[1, count) with each value's distance from the one before. Returns the bits that the widest range of steps needs; -1 when
 * a step does not fit 32 bits, where readers differ.
 */
export function stepsOfInt32(words: Int32Array, count: number, steps: Float64Array): number {
  let least = 0;
  let greatest = 0;
  let previous = words[0];
  for (let i = 1; i < count; i++) {
    const value = words[i];
    const step = value - previous;
    if (step < least) least = step;
    if (step > greatest) greatest = step;
    steps[i] = step;
    previous = value;
  }
  return least < -0x80000000 || greatest > 0x7fffffff ? -1 : bitsOf(greatest - least);
}

/** The same for int64 values given as low and high words; -1 when a value or a step is too great to be exact in a double. */
export function stepsOfInt64(words: Int32Array, count: number, steps: Float64Array): number {
  let least = 0;
  let greatest = 0;
  let previous = int64At(words, 0);
  let fits = Math.abs(previous) < EXACT;
  for (let i = 1; i < count; i++) {
    const value = int64At(words, i);
    const step = value - previous;
    if (value >= EXACT || value <= -EXACT) fits = false;
    if (step < least) least = step;
    if (step > greatest) greatest = step;
    steps[i] = step;
    previous = value;
  }
  return !fits || least <= -LONGEST_STEP || greatest >= LONGEST_STEP ? -1 : bitsOf(greatest - least);
}

/** The value at `index` as a double: exact below 2^53. */
export function int64At(words: Int32Array, index: number): number {
  return words[2 * index + 1] * TWO_32 + (words[2 * index] >>> 0);
}

/**
 * Writes the values [from, to) at `out[at]`: `first`, then steps[from + 1, to). Returns the position behind the last byte.
 */
export function writeDelta(
  first: number,
  steps: Float64Array,
  from: number,
  to: number,
  out: Buffer,
  at: number,
): number {
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  let position = writeVarint(BLOCK, out, at);
  position = writeVarint(BLOCK / MINIBLOCK, out, position);
  position = writeVarint(to - from, out, position);
  position = writeZigzag(first, out, position);
  for (let start = from + 1; start < to; start += BLOCK) {
    const end = Math.min(start + BLOCK, to);
    let least = steps[start];
    for (let i = start + 1; i < end; i++) if (steps[i] < least) least = steps[i];
    position = writeZigzag(least, out, position);
    const widths = position;
    position += BLOCK / MINIBLOCK;
    for (let mini = 0; mini < BLOCK / MINIBLOCK; mini++) {
      const miniStart = start + mini * MINIBLOCK;
      const miniEnd = Math.min(miniStart + MINIBLOCK, end);
      let greatest = least;
      for (let i = miniStart; i < miniEnd; i++) if (steps[i] > greatest) greatest = steps[i];
      const width = bitsOf(greatest - least);
      out[widths + mini] = width;
      if (width === 0) continue;
      if (width <= 32) packNarrow(steps, miniStart, miniEnd, least, width, view, position);
      else packWide(steps, miniStart, miniEnd, least, width, view, position);
      // A miniblock always takes its full length: readers skip by it.
      position += (MINIBLOCK / 8) * width;
    }
  }
  return position;
}

function bitsOf(value: number): number {
  if (value < TWO_32) return 32 - Math.clz32(value);
  return 64 - Math.clz32(Math.floor(value / TWO_32));
}

function writeZigzag(value: number, out: Uint8Array, at: number): number {
  const sign = value < 0 ? 1 : 0;
  // The first byte has the sign and six bits: doubling the whole number could need 54 bits, which a double rounds.
  let rest = sign === 1 ? -value - 1 : value;
  const low = (rest % 64) * 2 + sign;
  rest = Math.floor(rest / 64);
  let position = at;
  if (rest === 0) {
    out[position++] = low;
    return position;
  }
  out[position++] = low | 128;
  while (rest >= TWO_32) {
    out[position++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  return writeVarint(rest, out, position);
}

/** Packs the steps' excess over `least` with at most 32 bits each. */
function packNarrow(
  steps: Float64Array,
  from: number,
  to: number,
  least: number,
  width: number,
  view: DataView,
  at: number,
): void {
  let position = at;
  let word = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    const excess = (steps[i] - least) >>> 0;
    word |= excess << bits;
    bits += width;
    if (bits >= 32) {
      view.setInt32(position, word, true);
      position += 4;
      bits -= 32;
      word = bits === 0 ? 0 : excess >>> (width - bits);
    }
  }
  clearRest(view, position, at + (MINIBLOCK / 8) * width, word);
}

function packWide(
  steps: Float64Array,
  from: number,
  to: number,
  least: number,
  width: number,
  view: DataView,
  at: number,
): void {
  let position = at;
  let word = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    const excess = steps[i] - least;
    const low = (excess % TWO_32) >>> 0;
    const high = Math.floor(excess / TWO_32);
    // The low half completes a word, whatever was in it.
    view.setInt32(position, word | (low << bits), true);
    position += 4;
    word = (bits === 0 ? 0 : low >>> (32 - bits)) | (high << bits);
    bits += width - 32;
    if (bits >= 32) {
      view.setInt32(position, word, true);
      position += 4;
      bits -= 32;
      word = bits === 0 ? 0 : high >>> (width - 32 - bits);
    }
  }
  clearRest(view, position, at + (MINIBLOCK / 8) * width, word);
}

/** The last, partly filled word, and zeros for values that are not there. */
function clearRest(view: DataView, at: number, end: number, word: number): void {
  let rest = word;
  for (let position = at; position < end; position += 4) {
    view.setInt32(position, rest, true);
    rest = 0;
  }
}
