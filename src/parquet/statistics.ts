/** Least and greatest value of a column chunk. Invariant: what is written never hides a row from a reader that filters by it. */

import { compareBytes, lowerBound, upperBound } from './bytes-order.ts';
import type { ParquetType } from './schema.ts';

/** Longer bounds of strings are cut: a footer must not grow with its values. */
const LONGEST_BOUND = 64;

export type Statistics = {
  nulls: number;
  /** PLAIN bytes (strings without their length), shortened when not exact; null when unknown or no value is present. */
  min: Buffer | null;
  max: Buffer | null;
  minExact: boolean;
  maxExact: boolean;
};

export type Bounds = Omit<Statistics, 'nulls'>;

const UNKNOWN: Bounds = { min: null, max: null, minExact: false, maxExact: false };

/** The bounds of `count` PLAIN values at the beginning of `values`. */
export function boundsOf(type: ParquetType, values: Buffer, count: number): Bounds {
  if (count === 0) return UNKNOWN;
  switch (type.physical) {
    case 'boolean':
      return boundsOfBooleans(values, count);
    case 'int32':
      return boundsOfInt32(words(values, count), count);
    case 'int64':
      return boundsOfInt64(words(values, 2 * count), count);
    case 'float':
      return boundsOfFloats(new Float32Array(values.buffer, values.byteOffset, count), type);
    case 'double':
      return boundsOfFloats(new Float64Array(values.buffer, values.byteOffset, count), type);
    case 'fixed':
      return boundsOfFixed(values, count, type.width!);
    case 'bytes':
      return boundsOfBytes(values, count, type.logical.kind === 'string');
  }
}

/** The bounds of both together. */
export function mergeBounds(type: ParquetType, a: Bounds, b: Bounds): Bounds {
  const min = pick(type, a.min, b.min, -1);
  const max = pick(type, a.max, b.max, 1);
  return {
    min,
    max,
    minExact: min !== null && (min === a.min ? a.minExact : b.minExact),
    maxExact: max !== null && (max === a.max ? a.maxExact : b.maxExact),
  };
}

function pick(type: ParquetType, a: Buffer | null, b: Buffer | null, sign: 1 | -1): Buffer | null {
  if (a === null || b === null) return null;
  return compareValues(type, a, b) * sign >= 0 ? a : b;
}

/** Compares two PLAIN values (strings without their length) in the column's order. */
function compareValues(type: ParquetType, a: Buffer, b: Buffer): number {
  switch (type.physical) {
    case 'int32':
      return a.readInt32LE() - b.readInt32LE();
    case 'int64': {
      const high = a.readInt32LE(4) - b.readInt32LE(4);
      return high === 0 ? a.readUInt32LE() - b.readUInt32LE() : high;
    }
    case 'float':
      return a.readFloatLE() - b.readFloatLE();
    case 'double':
      return Math.sign(a.readDoubleLE() - b.readDoubleLE());
    case 'fixed':
      return a.readInt8() - b.readInt8() || Buffer.compare(a, b);
    case 'boolean':
    case 'bytes':
      return Buffer.compare(a, b);
  }
}

function words(values: Buffer, count: number): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, count);
}

function exact(min: Buffer, max: Buffer): Bounds {
  return { min, max, minExact: true, maxExact: true };
}

function boundsOfBooleans(values: Buffer, count: number): Bounds {
  let ones = 0;
  for (let i = 0; i < count; i++) ones += values[i];
  return exact(Buffer.of(ones === count ? 1 : 0), Buffer.of(ones > 0 ? 1 : 0));
}

function boundsOfInt32(values: Int32Array, count: number): Bounds {
  let min = values[0];
  let max = min;
  for (let i = 1; i < count; i++) {
    const value = values[i];
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(min);
  bytes.writeInt32LE(max, 4);
  return exact(bytes.subarray(0, 4), bytes.subarray(4));
}

function boundsOfInt64(values: Int32Array, count: number): Bounds {
  let minLow = values[0] >>> 0;
  let minHigh = values[1];
  let maxLow = minLow;
  let maxHigh = minHigh;
  for (let i = 1; i < count; i++) {
    const low = values[2 * i] >>> 0;
    const high = values[2 * i + 1];
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minHigh = high;
      minLow = low;
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxHigh = high;
      maxLow = low;
    }
  }
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(minLow);
  bytes.writeInt32LE(minHigh, 4);
  bytes.writeUInt32LE(maxLow, 8);
  bytes.writeInt32LE(maxHigh, 12);
  return exact(bytes.subarray(0, 8), bytes.subarray(8));
}

function boundsOfFloats(values: Float32Array | Float64Array, type: ParquetType): Bounds {
  let min = values[0];
  let max = min;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    // NaN has no place in the order: readers would drop groups that hold it.
    if (Number.isNaN(value)) return UNKNOWN;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const width = values.BYTES_PER_ELEMENT;
  const bytes = Buffer.alloc(2 * width);
  // The format leaves the order of -0 and +0 open, so the bounds span both.
  const low = min === 0 ? -0 : min;
  const high = max === 0 ? 0 : max;
  if (type.physical === 'float') {
    bytes.writeFloatLE(low);
    bytes.writeFloatLE(high, width);
  } else {
    bytes.writeDoubleLE(low);
    bytes.writeDoubleLE(high, width);
  }
  return exact(bytes.subarray(0, width), bytes.subarray(width));
}

function boundsOfFixed(values: Buffer, count: number, width: number): Bounds {
  let min = 0;
  let max = 0;
  for (let at = width; at < count * width; at += width) {
    if (compareSigned(values, at, min, width) < 0) min = at;
    else if (compareSigned(values, at, max, width) > 0) max = at;
  }
  return exact(Buffer.from(values.subarray(min, min + width)), Buffer.from(values.subarray(max, max + width)));
}

/** Big-endian two's complement: the first byte is signed, the others are not. */
function compareSigned(values: Buffer, a: number, b: number, width: number): number {
  const first = (values[a] << 24) - (values[b] << 24);
  return first !== 0 ? first : compareBytes(values, a + 1, a + width, values, b + 1, b + width);
}

function boundsOfBytes(values: Buffer, count: number, text: boolean): Bounds {
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  let at = 4;
  let end = at + view.getUint32(0, true);
  let minFrom = at;
  let minTo = end;
  let maxFrom = at;
  let maxTo = end;
  for (let i = 1; i < count; i++) {
    at = end + 4;
    end = at + view.getUint32(end, true);
    // The first byte decides nearly always; a call for each value would cost more than the rest of this loop.
    if (at < end && minFrom < minTo && values[at] > values[minFrom] && values[at] < values[maxFrom]) continue;
    if (compareBytes(values, at, end, values, minFrom, minTo) < 0) {
      minFrom = at;
      minTo = end;
    } else if (compareBytes(values, at, end, values, maxFrom, maxTo) > 0) {
      maxFrom = at;
      maxTo = end;
    }
  }
  return shortened(values.subarray(minFrom, minTo), values.subarray(maxFrom, maxTo), text);
}

function shortened(least: Buffer, greatest: Buffer, text: boolean): Bounds {
  const min = Buffer.from(lowerBound(least, LONGEST_BOUND, text));
  const bound = upperBound(greatest, LONGEST_BOUND, text);
  const max = bound === null ? null : Buffer.from(bound);
  return {
    min,
    max,
    minExact: least.length <= LONGEST_BOUND,
    maxExact: max !== null && greatest.length <= LONGEST_BOUND,
  };
}
