/**
 * CSV with a header (RFC 4180; the delimiter is the likeliest of `,` `;` tab `|`). Invariant: a bad record costs no other: of one that goes over
 * several lines only the first line is given up.
 */

import { isUtf8 } from 'node:buffer';
import { type BlockReader, Unreadable } from './block-reader.ts';
import type { RowSink } from './row-sink.ts';
import { ABSENT, NULL, QUOTED, TEXT } from './value.ts';

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const DELIMITERS = [',', ';', '\t', '|'];

/** A record's fields, in arrays that the next one takes over. */
type Fields = { kinds: number[]; starts: number[]; ends: number[]; count: number };

export class CsvReader implements BlockReader {
  readonly #rows: RowSink;
  readonly #most: number;
  readonly #fields: Fields = { kinds: [], starts: [], ends: [], count: 0 };
  #header: { bytes: Buffer; names: string[]; ofSlot: number[] } | null = null;
  #delimiter = 44;
  #line = 1;
  #skipping = false;

  constructor(rows: RowSink, mostBytes: number) {
    this.#rows = rows;
    this.#most = mostBytes;
  }

  read(b: Buffer, last: boolean): number {
    let at = 0;
    while (at < b.length) {
      if (this.#skipping || isEmpty(b, at)) {
        const newline = b.indexOf(NEWLINE, at);
        if (newline === -1) return b.length;
        this.#skipping = false;
        this.#line++;
        at = newline + 1;
        continue;
      }
      if (this.#header === null) this.#sniff(b, at);
      const end = this.#record(b, at, last);
      if (end === null) {
        if (b.length - at <= this.#most) return at;
        this.#tooLong(b, at);
        at = this.#nextLine(b, at);
        continue;
      }
      at = typeof end === 'string' ? this.#giveUp(b, at, end) : this.#take(b, at, end);
    }
    if (last && this.#header === null) throw new Unreadable('no header: the drop is empty');
    return at;
  }

  /** The position behind the record; a text: what is wrong with it; null: the block ends within it. */
  #record(b: Buffer, start: number, last: boolean): number | string | null {
    const { kinds, starts, ends } = this.#fields;
    const delimiter = this.#delimiter;
    let count = 0;
    let at = start;
    while (true) {
      if (b[at] === QUOTE) {
        let kind = TEXT;
        let close = b.indexOf(QUOTE, at + 1);
        while (close !== -1 && b[close + 1] === QUOTE) {
          kind = QUOTED;
          close = b.indexOf(QUOTE, close + 2);
        }
        if (close === -1) return last ? 'a quote is never closed' : null;
        // Whether it is doubled shows the next block.
        if (close + 1 === b.length && !last) return null;
        kinds[count] = kind;
        starts[count] = at + 1;
        ends[count++] = close;
        at = close + 1;
      } else {
        const from = at;
        while (at < b.length && b[at] !== delimiter && b[at] !== NEWLINE) at++;
        if (at === b.length && !last) return null;
        const to = b[at] !== delimiter && b[at - 1] === RETURN && at > from ? at - 1 : at;
        kinds[count] = to === from ? NULL : TEXT;
        starts[count] = from;
        ends[count++] = to;
      }
      this.#fields.count = count;
      if (b[at] === RETURN && (b[at + 1] === NEWLINE || at + 1 === b.length)) {
        if (at + 1 === b.length && !last) return null;
        at++;
      }
      if (at >= b.length || b[at] === NEWLINE) return Math.min(at + 1, b.length);
      if (b[at] !== delimiter) return 'something follows a closing quote';
      at++;
      if (at === b.length && !last) return null;
    }
  }

  #take(b: Buffer, start: number, end: number): number {
    const bytes = b.subarray(start, end);
    if (this.#header === null) {
      if (!isUtf8(bytes)) throw new Unreadable('the header is not UTF-8');
      this.#readHeader(b, bytes);
    } else {
      const { names, ofSlot } = this.#header;
      const { kinds, starts, ends, count } = this.#fields;
      if (count !== names.length) return this.#giveUp(b, start, `${count} fields, the header has ${names.length}`);
      if (end - start > this.#most) return this.#giveUp(b, start, `longer than ${this.#most} bytes`);
      if (bytes.includes(0)) return this.#giveUp(b, start, 'holds a NUL character, which Postgres cannot store');
      if (!isUtf8(bytes)) return this.#giveUp(b, start, 'not UTF-8');
      const { scanner } = this.#rows.plan;
      for (let slot = 0; slot < ofSlot.length; slot++) {
        const field = ofSlot[slot];
        scanner.kinds[slot] = field === -1 ? ABSENT : kinds[field];
        if (field === -1) continue;
        scanner.starts[slot] = starts[field];
        scanner.ends[slot] = ends[field];
      }
      this.#rows.placed(
        b,
        this.#line,
        () => this.#object(b),
        () => this.#shown(bytes),
      );
    }
    for (let at = b.indexOf(NEWLINE, start); at !== -1 && at < end; at = b.indexOf(NEWLINE, at + 1)) this.#line++;
    if (b[end - 1] !== NEWLINE) this.#line++;
    return end;
  }

  #giveUp(b: Buffer, start: number, reason: string): number {
    if (this.#header === null) throw new Unreadable(`the header: ${reason}`);
    const newline = b.indexOf(NEWLINE, start);
    this.#rows.broken(this.#line, reason, this.#shown(b.subarray(start, newline === -1 ? b.length : newline)));
    return this.#nextLine(b, start);
  }

  #tooLong(b: Buffer, start: number): void {
    if (this.#header === null) throw new Unreadable(`the header is longer than ${this.#most} bytes`);
    const newline = b.indexOf(NEWLINE, start);
    const end = Math.min(newline === -1 ? b.length : newline, start + 64 * 1024);
    this.#rows.broken(this.#line, `longer than ${this.#most} bytes`, this.#shown(b.subarray(start, end)));
  }

  /** Without a newline in the block what follows is passed over until there is one. */
  #nextLine(b: Buffer, start: number): number {
    const newline = b.indexOf(NEWLINE, start);
    if (newline === -1) {
      this.#skipping = true;
      return b.length;
    }
    this.#line++;
    return newline + 1;
  }

  /** With the header above it: a drop of its own, that can be loaded again. */
  #shown(record: Buffer): Buffer {
    let end = record.length;
    while (end > 0 && (record[end - 1] === NEWLINE || record[end - 1] === RETURN)) end--;
    return Buffer.concat([this.#header!.bytes, record.subarray(0, end)]);
  }

  #object(b: Buffer): Record<string, unknown> {
    const { kinds, starts, ends } = this.#fields;
    const row: Record<string, unknown> = {};
    this.#header!.names.forEach((name, i) => {
      const text = b.toString('utf8', starts[i], ends[i]);
      row[name] = kinds[i] === NULL ? null : kinds[i] === QUOTED ? text.replaceAll('""', '"') : text;
    });
    return row;
  }

  #sniff(b: Buffer, start: number): void {
    const newline = b.indexOf(NEWLINE, start);
    const line = b.toString('latin1', start, newline === -1 ? b.length : newline).replace(/"[^"]*"/g, '');
    const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
    this.#delimiter = DELIMITERS[counts.indexOf(Math.max(...counts))].charCodeAt(0);
  }

  #readHeader(b: Buffer, bytes: Buffer): void {
    const { kinds, starts, ends, count } = this.#fields;
    const names = Array.from({ length: count }, (_, i) => {
      const name = b.toString('utf8', starts[i], ends[i]);
      return (kinds[i] === QUOTED ? name.replaceAll('""', '"') : name).trim();
    });
    const { scanner, paths, columns } = this.#rows.plan;
    const ofSlot: number[] = [];
    paths.forEach((path, i) => {
      const field = path.length === 1 ? names.indexOf(String(path[0])) : -1;
      if (field !== -1 && names.indexOf(names[field], field + 1) !== -1) {
        throw new Unreadable(`the header has ${names[field]} twice`);
      }
      ofSlot[scanner.slots[i]] = field;
    });
    const missing = columns.find(({ slot, required }) => required && ofSlot[slot] === -1);
    if (missing && !this.#rows.transforms) throw new Unreadable(`the header lacks what ${missing.name} requires`);
    const ended = bytes[bytes.length - 1] === NEWLINE;
    this.#header = { bytes: ended ? Buffer.from(bytes) : Buffer.concat([bytes, Buffer.from('\n')]), names, ofSlot };
  }
}

function isEmpty(b: Buffer, at: number): boolean {
  return b[at] === NEWLINE || (b[at] === RETURN && b[at + 1] === NEWLINE);
}
