/** The original text of some lines of a drop, for rows that the target refuses. */

import type { LoadSettings } from '../settings.ts';
import { type RowPlan, rowPlan } from './columns.ts';
import type { RowSink } from './row-sink.ts';
import { storable } from './rows.ts';

export class LineTexts implements RowSink {
  readonly plan: RowPlan;
  readonly transforms = true;
  readonly found = new Map<number, string>();
  readonly #wanted: Set<number>;
  readonly #most: number;

  constructor(settings: LoadSettings, lines: number[]) {
    this.plan = rowPlan(settings);
    this.#wanted = new Set(lines);
    this.#most = settings.limits.lineBytes;
  }

  json(b: Buffer, start: number, end: number, line: number): void {
    this.#one(line, () => b.subarray(start, end));
  }

  placed(_b: Buffer, line: number, _object: unknown, text: () => Uint8Array): void {
    this.#one(line, text);
  }

  broken(line: number, _reason: string, text: Uint8Array): void {
    this.#one(line, () => text);
  }

  #one(line: number, text: () => Uint8Array): void {
    if (!this.#wanted.has(line)) return;
    const bytes = text();
    const shown = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, this.#most));
    this.found.set(line, storable(shown.toString()));
  }
}
