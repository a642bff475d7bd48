/** Values of array types: a JSON array as Postgres's array text. */

import { CopyText } from '../copy-text.ts';
import { JsonScanner } from '../json-scan.ts';
import { Unescaped } from '../json-text.ts';
import { ARRAY, type Complaint, ESCAPED, kindName, NULL, STRING, TEXT, type WriteValue } from '../value.ts';

const MOST_DIMENSIONS = 6;
const QUOTE = 34;
const BACKSLASH = 92;
const ESCAPED_QUOTE = Buffer.from('\\\\"');
const ESCAPED_BACKSLASH = Buffer.from('\\\\\\\\');

/** What an array has shown of its shape: how many elements a level has, and on which level the values are. */
type Shape = { lengths: (number | undefined)[]; values: number | undefined };

/**
 * Nested arrays are dimensions: all of one level have the same length. Where the elements are JSON themselves there is one dimension. A text is
 * handed on: it should be Postgres's own `{1,2}`.
 */
export function array(element: WriteValue, ofJson: boolean): WriteValue {
  const scanner = new JsonScanner([[]]);
  const unescaped = new Unescaped();
  const scratch = new CopyText(1024);

  const list = (b: Uint8Array, start: number, end: number, level: number, shape: Shape, out: CopyText): Complaint => {
    if (level >= MOST_DIMENSIONS) return `an array of more than ${MOST_DIMENSIONS} dimensions`;
    out.byte(123);
    let count = 0;
    for (let at = start + 1; ; count++) {
      while (b[at] <= 32 || b[at] === 44) at++;
      if (at >= end - 1) break;
      if (count > 0) out.byte(44);
      // Well-formed: the whole row was read before.
      scanner.scanOne(b, at, end);
      const kind = scanner.kinds[0];
      const [from, to] = [scanner.starts[0], scanner.ends[0]];
      const complaint =
        kind === ARRAY && !ofJson
          ? shape.values !== undefined && shape.values <= level
            ? 'single values and arrays are mixed'
            : list(b, from, to, level + 1, shape, out)
          : value(b, kind, from, to, level, shape, out);
      if (complaint !== null) return complaint;
      at = kind === STRING || kind === ESCAPED ? to + 1 : to;
    }
    out.byte(125);
    shape.lengths[level] ??= count;
    return shape.lengths[level] === count ? null : 'nested arrays have different lengths';
  };

  const value = (
    b: Uint8Array,
    kind: number,
    start: number,
    end: number,
    level: number,
    shape: Shape,
    out: CopyText,
  ): Complaint => {
    shape.values ??= level;
    if (shape.values !== level) return 'single values and arrays are mixed';
    if (kind === NULL) {
      out.text('NULL');
      return null;
    }
    scratch.length = 0;
    const complaint =
      kind === ESCAPED && !ofJson
        ? (unescaped.read(b, start, end) ?? element(unescaped.bytes, TEXT, 0, unescaped.length, scratch))
        : element(b, kind, start, end, scratch);
    if (complaint === null) quote(scratch.since(0), out);
    return complaint;
  };

  return (b, kind, start, end, out) => {
    if (kind === STRING || kind === TEXT) {
      out.escaped(b, start, end);
      return null;
    }
    if (kind !== ARRAY) return `${kindName(kind)} is no array`;
    return list(b, start, end, 0, { lengths: [], values: undefined }, out);
  };
}

/** A field of text COPY as an element: quotes and backslashes escaped for the array, that escape again for COPY. */
function quote(field: Uint8Array, out: CopyText): void {
  out.byte(QUOTE);
  for (let i = 0; i < field.length; i++) {
    const c = field[i];
    if (c === QUOTE) {
      out.plain(ESCAPED_QUOTE, 0, 3);
    } else if (c === BACKSLASH && field[i + 1] === BACKSLASH) {
      out.plain(ESCAPED_BACKSLASH, 0, 4);
      i++;
    } else {
      out.byte(c);
    }
  }
  out.byte(QUOTE);
}
