/** Targets of loads for tests, with rows as the parser would write them. */

import type { Drop, ParsedDrop, Reject } from '../../src/load/drop.ts';
import type { LoadSettings } from '../../src/load/settings.ts';
import type { BatchDrop, Claimed, Originals } from '../../src/load/target/outcome.ts';
import { Target, type TargetOptions } from '../../src/load/target/target.ts';
import { column, loadSettings } from './load-settings.ts';
import { never, silent } from './state.ts';

/** Loads (id, name, amount) into public.events. */
export function settingsOf(url: string, more: Partial<LoadSettings> = {}): LoadSettings {
  return loadSettings({
    from: 'file:./drops/*',
    baseDir: '/tmp',
    target: { url, caFile: null },
    key: ['id'],
    columns: [column('id', 'bigint'), column('name', 'text'), column('amount', 'numeric')],
    limits: { lineBytes: 1e6, inflatedBytes: 1e9, ratio: 200 },
    connections: 4,
    ...more,
  });
}

export const EVENTS = 'create table events (id bigint primary key, name text, amount numeric)';

export function openTarget(settings: LoadSettings, more: Partial<TargetOptions> = {}): Promise<Target> {
  return Target.open(settings, { env: process.env, log: silent, sessions: 2, ...more }, never);
}

export type Row = (string | number | null)[];

/** What the parser makes of a drop: a row a line. `lines`: their numbers; default: from 1. */
export function parsed(
  number: number,
  rows: Row[],
  { lines, rejects = [] }: { lines?: number[]; rejects?: Reject[] } = {},
): ParsedDrop {
  const field = (value: string | number | null) =>
    value === null
      ? '\\N'
      : String(value).replace(/[\\\n\r\t]/g, (c) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c]!);
  const text = rows.map((row, i) => `${[number, lines?.[i] ?? i + 1, ...row].map(field).join('\t')}\n`).join('');
  const counts = { rowsIn: rows.length + rejects.length, rowsOut: rows.length, filtered: 0, rejected: rejects.length };
  return { state: 'parsed', rows: Buffer.from(text), counts, rejects };
}

export const drop = (key: string, etag = 'e1', bytes = 10): Drop => ({ key, etag, bytes });

/** A batch of claimed drops with these rows each. */
export function batchOf(claimed: Claimed[], rows: (key: string) => Row[]): BatchDrop[] {
  return claimed.map((each, number) => ({ drop: each, number, read: parsed(number, rows(each.key)) }));
}

/** The text of a line is `key:line`. */
export const originals: Originals = async ({ key }, lines) => new Map(lines.map((line) => [line, `${key}:${line}`]));
