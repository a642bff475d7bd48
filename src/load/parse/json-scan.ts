/**
 * Reads a JSON text once, byte by byte, and notes where the wanted values stand. Invariant: it accepts what JSON.parse accepts (RFC 8259) but for
 * nesting deeper than 1,000, and notes what JSON.parse would give: a key's last value wins. A number stays the digits that were sent.
 */

import { nameIndex, type Path, type PathNode, pathTree } from './json-paths.ts';
import { ABSENT, ARRAY, BOOLEAN, ESCAPED, NULL, NUMBER, OBJECT, STRING } from './value.ts';

const MOST_DEPTH = 1_000;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;

class Broken {
  readonly at: number;
  readonly problem: string;
  constructor(at: number, problem: string) {
    this.at = at;
    this.problem = problem;
  }
}

export class JsonScanner {
  /** Of each path of the constructor: its index in the arrays below. */
  readonly slots: number[];
  readonly kinds: Uint8Array;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** What the whole text is. */
  kind = ABSENT;
  /** After a problem: the position of it. */
  failedAt = 0;

  readonly #root: PathNode;
  #b: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;
  #depth = 0;

  constructor(paths: Path[]) {
    const { root, slots, count } = pathTree(paths);
    this.#root = root;
    this.slots = slots;
    this.kinds = new Uint8Array(count);
    this.starts = new Float64Array(count);
    this.ends = new Float64Array(count);
  }

  /** Reads one whole text, white space around it allowed; what is wrong with it, or null. */
  scan(b: Uint8Array, start: number, end: number): string | null {
    try {
      const after = this.#start(b, start, end, this.#root);
      if (after < end) throw new Broken(after, 'something follows the value');
      return null;
    } catch (error) {
      return this.#problem(error, start);
    }
  }

  /** Reads one value that begins at or after `start`; where it ends, or what is wrong. */
  scanOne(b: Uint8Array, start: number, end: number): number | string {
    try {
      this.#start(b, start, end, this.#root);
      return this.#valueEnd;
    } catch (error) {
      return this.#problem(error, start);
    }
  }

  #valueEnd = 0;

  #problem(error: unknown, start: number): string {
    if (!(error instanceof Broken)) throw error;
    this.failedAt = error.at;
    return `broken JSON: ${error.problem} (byte ${error.at - start + 1})`;
  }

  /** The position after the value and the white space that follows it. */
  #start(b: Uint8Array, start: number, end: number, node: PathNode): number {
    this.#b = b;
    this.#at = start;
    this.#end = end;
    this.#depth = 0;
    this.kinds.fill(ABSENT);
    this.#space();
    this.kind = this.#value(node);
    this.#valueEnd = this.#at;
    this.#space();
    return this.#at;
  }

  /** The next byte that is no white space, not yet taken; -1 at the end. */
  #space(): number {
    const b = this.#b;
    const end = this.#end;
    let at = this.#at;
    while (at < end) {
      const c = b[at];
      if (c > 32 || (c !== 32 && c !== 10 && c !== 13 && c !== 9)) {
        this.#at = at;
        return c;
      }
      at++;
    }
    this.#at = at;
    return -1;
  }

  /** At its first byte. Its kind. */
  #value(node: PathNode | null): number {
    const start = this.#at;
    const c = start < this.#end ? this.#b[start] : -1;
    let kind: number;
    if (c === QUOTE) {
      kind = this.#string();
      if (node !== null && node.slot >= 0) this.#note(node.slot, kind, start + 1, this.#at - 1);
      return kind;
    }
    if (c === 45 || (c >= 48 && c <= 57)) {
      this.#number();
      kind = NUMBER;
    } else if (c === 123) {
      this.#object(node);
      kind = OBJECT;
    } else if (c === 91) {
      this.#array(node);
      kind = ARRAY;
    } else if (c === 116) {
      this.#word(TRUE);
      kind = BOOLEAN;
    } else if (c === 102) {
      this.#word(FALSE);
      kind = BOOLEAN;
    } else if (c === 110) {
      this.#word(NOTHING);
      kind = NULL;
    } else {
      throw new Broken(start, c === -1 ? 'it ends where a value should be' : 'a value should be here');
    }
    if (node !== null && node.slot >= 0) this.#note(node.slot, kind, start, this.#at);
    return kind;
  }

  #note(slot: number, kind: number, start: number, end: number): void {
    this.kinds[slot] = kind;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  #object(node: PathNode | null): void {
    const b = this.#b;
    if (++this.#depth > MOST_DEPTH) throw new Broken(this.#at, `nested deeper than ${MOST_DEPTH}`);
    this.#at++;
    let c = this.#space();
    if (c === 125) {
      this.#at++;
      this.#depth--;
      return;
    }
    let expected = 0;
    while (true) {
      if (c !== QUOTE)
        throw new Broken(this.#at, c === -1 ? 'it ends within an object' : 'a key in quotes should be here');
      const start = this.#at + 1;
      const kind = this.#string();
      let child: PathNode | null = null;
      if (node !== null && node.names.length > 0) {
        const found = nameIndex(node, b, start, this.#at - 1, kind === ESCAPED, expected);
        if (found >= 0) {
          child = node.names[found].node;
          expected = found + 1;
          const { below } = child;
          for (let i = 0; i < below.length; i++) this.kinds[below[i]] = ABSENT;
        }
      }
      if (this.#space() !== COLON) throw new Broken(this.#at, "':' should follow the key");
      this.#at++;
      this.#space();
      this.#value(child);
      c = this.#space();
      this.#at++;
      if (c === COMMA) {
        c = this.#space();
        continue;
      }
      if (c === 125) break;
      throw new Broken(this.#at - 1, c === -1 ? 'it ends within an object' : "',' or '}' should be here");
    }
    this.#depth--;
  }

  #array(node: PathNode | null): void {
    if (++this.#depth > MOST_DEPTH) throw new Broken(this.#at, `nested deeper than ${MOST_DEPTH}`);
    this.#at++;
    let c = this.#space();
    if (c === 93) {
      this.#at++;
      this.#depth--;
      return;
    }
    const elements = node !== null && node.elements.size > 0 ? node.elements : null;
    for (let index = 0; ; index++) {
      this.#value(elements === null ? null : (elements.get(index) ?? null));
      c = this.#space();
      this.#at++;
      if (c === COMMA) {
        this.#space();
        continue;
      }
      if (c === 93) break;
      throw new Broken(this.#at - 1, c === -1 ? 'it ends within an array' : "',' or ']' should be here");
    }
    this.#depth--;
  }

  /** At its first quote; afterwards behind its last. */
  #string(): number {
    const b = this.#b;
    const end = this.#end;
    let at = this.#at + 1;
    let kind = STRING;
    while (true) {
      const c = b[at];
      if (c === QUOTE && at < end) {
        this.#at = at + 1;
        return kind;
      }
      if (c >= 32 && c !== BACKSLASH && at < end) {
        at++;
        continue;
      }
      if (at >= end) throw new Broken(end, 'it ends within a text');
      if (c !== BACKSLASH) throw new Broken(at, 'a control character stands in a text');
      kind = ESCAPED;
      at = this.#escape(at);
    }
  }

  /** At the backslash; the position behind the escape. */
  #escape(at: number): number {
    const b = this.#b;
    const c = at + 1 < this.#end ? b[at + 1] : -1;
    if (c === 117) {
      for (let i = at + 2; i < at + 6; i++) {
        const d = i < this.#end ? b[i] : -1;
        if (!((d >= 48 && d <= 57) || (d >= 65 && d <= 70) || (d >= 97 && d <= 102))) {
          throw new Broken(at, '\\u without four hexadecimal digits');
        }
      }
      return at + 6;
    }
    // " \ / b f n r t
    if (c === 34 || c === 92 || c === 47 || c === 98 || c === 102 || c === 110 || c === 114 || c === 116) return at + 2;
    throw new Broken(at, 'a backslash before something that has no meaning');
  }

  #number(): void {
    const b = this.#b;
    const end = this.#end;
    let at = this.#at;
    if (b[at] === 45) at++;
    if (at < end && b[at] === 48) at++;
    else at = this.#digits(at);
    if (at < end && b[at] === 46) at = this.#digits(at + 1);
    if (at < end && (b[at] === 101 || b[at] === 69)) {
      at++;
      if (at < end && (b[at] === 43 || b[at] === 45)) at++;
      at = this.#digits(at);
    }
    this.#at = at;
  }

  #digits(start: number): number {
    const b = this.#b;
    const end = this.#end;
    let at = start;
    while (at < end && b[at] >= 48 && b[at] <= 57) at++;
    if (at === start) throw new Broken(start, 'a digit should be here');
    return at;
  }

  #word(word: Uint8Array): void {
    const b = this.#b;
    const at = this.#at;
    for (let i = 0; i < word.length; i++) {
      if (at + i >= this.#end || b[at + i] !== word[i]) throw new Broken(at, 'a value should be here');
    }
    this.#at = at + word.length;
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NOTHING = Buffer.from('null');
