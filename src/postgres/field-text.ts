/** One binary COPY field as the text that Postgres prints; for the keys in errors and for values that had no place. Not for the hot path. */

import type { Wire } from '../model/column-type.ts';
import { dateText, floatText, numericText, timestampText, timeText } from './render.ts';

/** The field at `at` (its int32 length stands before it) of the given form; null for NULL. */
export function fieldText(wire: Wire, bytes: Buffer, view: DataView, at: number): string | null {
  if (at < 0) return null;
  const end = at + view.getInt32(at - 4);
  if (typeof wire === 'object') return arrayText(wire.array, bytes, view, at);
  switch (wire) {
    case 'bool':
      return bytes[at] ? 't' : 'f';
    case 'int2':
      return String(view.getInt16(at));
    case 'int4':
      return String(view.getInt32(at));
    case 'uint4':
      return String(view.getUint32(at));
    case 'int8':
      return String(view.getBigInt64(at));
    case 'float4':
      return floatText(view.getFloat32(at), 'single');
    case 'float8':
      return floatText(view.getFloat64(at), 'double');
    case 'numeric':
      return numericText(view, at);
    case 'date':
      return dateText(view.getInt32(at));
    case 'timestamp':
    case 'timestamptz':
      return timestampText(view.getBigInt64(at), wire === 'timestamptz');
    case 'uuid':
      return bytes.toString('hex', at, end).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'bytea':
      return `\\x${bytes.toString('hex', at, end)}`;
    case 'jsonb':
      return bytes.toString('utf8', at + 1, end);
    case 'time':
    case 'timetz':
      return timeText(view.getBigInt64(at), wire === 'timetz' ? view.getInt32(at + 8) : null);
    default:
      return bytes.toString('utf8', at, end);
  }
}

/** An array in its binary form (array_send): dimensions, flags, element type, then length and lower bound a dimension. */
function arrayText(element: Wire, bytes: Buffer, view: DataView, at: number): string {
  const dimensions = view.getInt32(at);
  if (dimensions === 0) return '{}';
  const sizes: number[] = [];
  let bounds = '';
  let odd = false;
  for (let d = 0; d < dimensions; d++) {
    const [size, lower] = [view.getInt32(at + 12 + d * 8), view.getInt32(at + 16 + d * 8)];
    sizes.push(size);
    bounds += `[${lower}:${lower + size - 1}]`;
    odd ||= lower !== 1;
  }
  let p = at + 12 + dimensions * 8;
  const level = (depth: number): string => {
    const parts: string[] = [];
    for (let i = 0; i < sizes[depth]; i++) {
      if (depth + 1 < dimensions) {
        parts.push(level(depth + 1));
        continue;
      }
      const length = view.getInt32(p);
      p += 4;
      if (length < 0) parts.push('NULL');
      else {
        parts.push(quoted(fieldText(element, bytes, view, p) as string));
        p += length;
      }
    }
    return `{${parts.join(',')}}`;
  };
  const text = level(0);
  return odd ? `${bounds}=${text}` : text;
}

/** array_out's rule for quotes. */
function quoted(value: string): string {
  const plain = value !== '' && value.toUpperCase() !== 'NULL' && !/["\\{}, \t\n\v\f\r]/.test(value);
  return plain ? value : `"${value.replaceAll(/(["\\])/g, '\\$1')}"`;
}
