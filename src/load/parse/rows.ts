/**
 * Rows of one drop after another: filtered, checked, written as text for COPY. Invariant: every row that comes in is written whole, filtered or
 * rejected; a row is never half written.
 */

import type { ParsedDrop, Reject } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import { type RowPlan, rowPlan } from './columns.ts';
import { CopyText } from './copy-text.ts';
import { Unescaped } from './json-text.ts';
import type { RowSink } from './row-sink.ts';
import type { RowTransform } from './transform-row.ts';
import { type Complaint, ESCAPED, NULL, OBJECT, QUOTED, TEXT } from './value.ts';

// Of one drop; what is beyond it is counted only.
const MOST_REJECTS = 10_000;
const MOST_REJECT_BYTES = 32 * 1024 * 1024;
const MOST_REASON = 1_000;

export type RowsDrop = { key: string; number: number };

/** The fields of a row by their names. */
type RowObject = () => Record<string, unknown>;

export class Rows implements RowSink {
  readonly plan: RowPlan;
  readonly #settings: LoadSettings;
  readonly #transform: RowTransform | null;
  readonly #out = new CopyText();
  readonly #unescaped = new Unescaped();
  #drop: RowsDrop = { key: '', number: 0 };
  #counts = { rowsIn: 0, rowsOut: 0, filtered: 0, rejected: 0 };
  #rejects: Reject[] = [];
  #rejectBytes = 0;
  #column: string | null = null;

  constructor(settings: LoadSettings, transform: RowTransform | null) {
    this.#settings = settings;
    this.#transform = transform;
    this.plan = rowPlan(settings);
  }

  begin(drop: RowsDrop): void {
    this.#drop = drop;
    this.#counts = { rowsIn: 0, rowsOut: 0, filtered: 0, rejected: 0 };
    this.#rejects = [];
    this.#rejectBytes = 0;
    this.#out.length = 0;
  }

  /** The drop as far as it has come. */
  finish(): ParsedDrop {
    return { state: 'parsed', rows: this.#out.take(), counts: this.#counts, rejects: this.#rejects };
  }

  get transforms(): boolean {
    return this.#transform !== null;
  }

  json(b: Buffer, start: number, end: number, line: number): void {
    this.#counts.rowsIn++;
    const { scanner } = this.plan;
    const problem = scanner.scan(b, start, end);
    if (problem !== null) {
      this.#reject(line, problem, null, b.subarray(start, end));
    } else if (scanner.kind !== OBJECT) {
      this.#reject(line, 'no JSON object', null, b.subarray(start, end));
    } else if (this.#transform) {
      const text = b.toString('utf8', start, end);
      this.#transformed(
        () => this.#transform!.parse(text),
        line,
        () => b.subarray(start, end),
      );
    } else {
      this.#row(b, line, () => b.subarray(start, end));
    }
  }

  placed(b: Buffer, line: number, object: RowObject, text: () => Uint8Array): void {
    this.#counts.rowsIn++;
    if (this.#transform) this.#transformed(object, line, text);
    else this.#row(b, line, text);
  }

  broken(line: number, reason: string, text: Uint8Array): void {
    this.#counts.rowsIn++;
    this.#reject(line, reason, null, text);
  }

  #row(b: Uint8Array, line: number, text: () => Uint8Array): void {
    if (!this.#kept(b)) {
      this.#counts.filtered++;
      return;
    }
    const before = this.#out.length;
    const complaint = this.#write(b, line);
    if (complaint === null) {
      this.#counts.rowsOut++;
    } else {
      this.#out.length = before;
      this.#reject(line, complaint, this.#column, text());
    }
  }

  /** All of the rows that a row becomes, or none: half of them could not be loaded again. */
  #transformed(object: RowObject, line: number, text: () => Uint8Array): void {
    const before = this.#out.length;
    let written = 0;
    const result = this.#transform!.rows(object, { drop: this.#drop.key, line });
    let complaint: Complaint = typeof result === 'string' ? result : null;
    this.#column = null;
    for (const json of typeof result === 'string' ? [] : result) {
      this.plan.scanner.scan(json, 0, json.length);
      if (!this.#kept(json)) continue;
      complaint = this.#write(json, line);
      if (complaint !== null) break;
      written++;
    }
    if (complaint !== null) {
      this.#out.length = before;
      this.#reject(line, complaint, this.#column, text());
    } else if (written === 0) {
      this.#counts.filtered++;
    } else {
      this.#counts.rowsOut += written;
    }
  }

  #kept(b: Uint8Array): boolean {
    const { keep, scanner } = this.plan;
    for (let i = 0; i < keep.length; i++) {
      const { slot, matches } = keep[i];
      const kind = scanner.kinds[slot];
      const otherwise = keep[i].default;
      let holds: boolean;
      if (kind <= NULL && otherwise !== null) {
        holds = matches(otherwise.bytes, otherwise.kind, 0, otherwise.bytes.length);
      } else if (kind === ESCAPED || kind === QUOTED) {
        // A text that cannot be read is no value; the column's own check rejects it if it is one.
        const bad = this.#read(b, kind, slot);
        holds = bad !== null || matches(this.#unescaped.bytes, TEXT, 0, this.#unescaped.length);
      } else {
        holds = matches(b, kind, scanner.starts[slot], scanner.ends[slot]);
      }
      if (!holds) return false;
    }
    return true;
  }

  #write(b: Uint8Array, line: number): Complaint {
    const out = this.#out;
    const { columns, scanner } = this.plan;
    const { kinds, starts, ends } = scanner;
    out.count(this.#drop.number);
    out.tab();
    out.count(line);
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      const { slot } = column;
      const kind = kinds[slot];
      out.tab();
      if (kind <= NULL) {
        if (column.default !== null) out.plain(column.default, 0, column.default.length);
        else if (column.required) return this.#of(column.name, 'is required and has no value');
        else out.null();
        continue;
      }
      let complaint: Complaint;
      if ((kind === ESCAPED && !column.json) || kind === QUOTED) {
        complaint = this.#read(b, kind, slot);
        complaint ??= column.write(this.#unescaped.bytes, TEXT, 0, this.#unescaped.length, out);
      } else {
        complaint = column.write(b, kind, starts[slot], ends[slot], out);
      }
      if (complaint !== null) return this.#of(column.name, complaint);
    }
    out.newline();
    return null;
  }

  #read(b: Uint8Array, kind: number, slot: number): Complaint {
    const { starts, ends } = this.plan.scanner;
    if (kind === ESCAPED) return this.#unescaped.read(b, starts[slot], ends[slot]);
    this.#unescaped.readQuoted(b, starts[slot], ends[slot]);
    return null;
  }

  #of(column: string, complaint: string): string {
    this.#column = column;
    return `${column}: ${complaint}`;
  }

  #reject(line: number, reason: string, column: string | null, text: Uint8Array): void {
    this.#counts.rejected++;
    const bytes = Math.min(text.length, this.#settings.limits.lineBytes);
    if (this.#rejects.length >= MOST_REJECTS) return;
    if (this.#rejectBytes + bytes > MOST_REJECT_BYTES && this.#rejects.length > 0) return;
    this.#rejectBytes += bytes;
    const shown = storable(Buffer.from(text.buffer, text.byteOffset, bytes).toString());
    this.#rejects.push({ line, reason: storable(reason).slice(0, MOST_REASON), column, text: shown });
  }
}

/** Postgres stores neither NUL nor half a surrogate pair in a text. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}
