/** What a load would insert: its first rows and rejects. Invariant: nothing is claimed, and no database is contacted. */

import type { Drop, ReadDrop, Reject } from './drop.ts';
import type { DropSource } from './drop-source.ts';
import type { ParserPool } from './parse/parser-pool.ts';

/** `rows`: a text a column, as COPY takes it; null is NULL. */
export type LoadDryRun = {
  load: string;
  drops: { key: string; dead: string | null }[];
  columns: string[];
  rows: { drop: string; line: number; values: (string | null)[] }[];
  rejects: ({ drop: string } & Reject)[];
};

const MOST_ROWS = 10;
const MOST_REJECTS = 10;
/** Drops that are read in search of rows. */
const MOST_DROPS = 20;

/** Reads the first drops, one after another, until there are rows enough. Throws LAKE_*, CONFIG_INVALID. */
export async function dryRunLoad(
  { source, pool }: { source: DropSource; pool: ParserPool },
  { load, columns, days }: { load: string; columns: string[]; days: string[] },
  signal: AbortSignal,
): Promise<LoadDryRun> {
  const found: LoadDryRun = { load, drops: [], columns, rows: [], rejects: [] };
  for await (const drop of source.list(days, signal)) {
    if (found.drops.length === MOST_DROPS || found.rows.length >= MOST_ROWS) break;
    const about = { key: drop.key, number: 0 };
    const read = await source.read<ReadDrop>(drop, (input) => pool.parse(input, about, signal), signal);
    if (read !== 'gone') note(found, drop, read);
  }
  return found;
}

function note(found: LoadDryRun, { key }: Drop, read: ReadDrop): void {
  if (read.state === 'gone') return;
  found.drops.push({ key, dead: read.state === 'dead' ? read.reason : null });
  if (read.state === 'dead') return;
  found.rejects.push(
    ...read.rejects.slice(0, MOST_REJECTS - found.rejects.length).map((reject) => ({ drop: key, ...reject })),
  );
  for (const line of firstLines(read.rows, MOST_ROWS - found.rows.length)) {
    const [, number, ...values] = line.split('\t');
    found.rows.push({ drop: key, line: Number(number), values: values.map(copyValue) });
  }
}

function firstLines(rows: Buffer, most: number): string[] {
  const lines: string[] = [];
  for (let at = 0; lines.length < most && at < rows.length; ) {
    const end = rows.indexOf(10, at);
    lines.push(rows.toString('utf8', at, end < 0 ? rows.length : end));
    at = end < 0 ? rows.length : end + 1;
  }
  return lines;
}

const ESCAPED: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** A field of COPY's text. */
function copyValue(field: string): string | null {
  return field === '\\N' ? null : field.replaceAll(/\\(.)/g, (_, c: string) => ESCAPED[c] ?? c);
}
