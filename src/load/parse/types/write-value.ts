/** A column's type and what checks and writes its values. */

import { STRING, TEXT, type WriteValue } from '../value.ts';
import { array } from './arrays.ts';
import type { ColumnType } from './column-type.ts';
import { float, numeric } from './decimals.ts';
import { json } from './json-values.ts';
import { moment } from './moments.ts';
import { boolean, text, uuid } from './texts.ts';
import { wholeNumber } from './whole-numbers.ts';

export function writeValue(type: ColumnType): WriteValue {
  switch (type.base) {
    case 'int2':
    case 'int4':
    case 'int8':
      return trimmed(wholeNumber(type.base));
    case 'float4':
    case 'float8':
      return trimmed(float(type.base));
    case 'numeric':
      return trimmed(numeric(type.digits, type.scale));
    case 'bool':
      return trimmed(boolean);
    case 'uuid':
      return uuid;
    case 'json':
    case 'jsonb':
      return json(type.base);
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return trimmed(moment(type.base));
    case 'text':
      return text(type.characters);
    case 'array':
      return array(writeValue(type.element), isJson(type.element));
    case 'other':
      return text(null);
  }
}

/** Whether it takes the JSON text itself, a string with its quotes and escapes. */
export function isJson(type: ColumnType): boolean {
  return type.base === 'json' || type.base === 'jsonb';
}

/** White space around a text means nothing to these types, as in Postgres. */
function trimmed(write: WriteValue): WriteValue {
  return (b, kind, start, end, out) => {
    if ((kind !== STRING && kind !== TEXT) || (b[start] > 32 && b[end - 1] > 32))
      return write(b, kind, start, end, out);
    let [from, to] = [start, end];
    while (from < to && isSpace(b[from])) from++;
    while (from < to && isSpace(b[to - 1])) to--;
    // So that an empty text is a value that is refused, never one byte further.
    if (from === to) return `an empty text is no value`;
    return write(b, kind, from, to, out);
  };
}

function isSpace(c: number): boolean {
  return c === 32 || (c >= 9 && c <= 13);
}
