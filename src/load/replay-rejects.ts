/** Rejects taken again after a fix: of the configuration, the transform, the target. Invariant: each is parsed as a drop of its own. */

import type { ReadDrop } from './drop.ts';
import type { LoadProgress } from './load-drops.ts';
import type { LoadTotals } from './load-result.ts';
import type { ParserPool } from './parse/parser-pool.ts';
import type { ReplayBatch, StoredReject } from './target/outcome.ts';
import type { Target } from './target/target.ts';

const PAGE = 1_000;
const PACKED = /\.(gz|gzip|zst|zstd)$/i;
const TAB = 9;
const NEWLINE = 10;

/** Loads those that fit now; the others keep their new reason. Throws TARGET_*. */
export async function replayRejects(
  { target, pool }: { target: Target; pool: ParserPool },
  { totals, progress }: { totals: LoadTotals; progress: LoadProgress },
  signal: AbortSignal,
): Promise<void> {
  for (let after = '0'; ; ) {
    const page = await target.rejects(after, PAGE, signal);
    if (page.length === 0) return;
    after = page[page.length - 1].id;
    // What a thread parses as one drop ends where its text does: a record of several lines stays one.
    const read = await Promise.all(page.map((reject) => parseAgain(pool, reject, signal)));
    const outcome = await target.replay(replayBatch(page, read), signal);
    totals.rowsIn += page.length;
    totals.rowsOut += outcome.rowsOut;
    totals.rowsKnown += outcome.known;
    totals.rowsFiltered += outcome.filtered;
    totals.rowsRejected += outcome.rejected;
    progress.done(0, totals);
  }
}

/** The text is unpacked already, and a name that says otherwise would make it a damaged drop. */
function parseAgain(pool: ParserPool, { key, text }: StoredReject, signal: AbortSignal): Promise<ReadDrop> {
  const bytes = new TextEncoder().encode(text);
  return pool.parse({ bytes }, { key: key.replace(PACKED, ''), number: 0 }, signal);
}

/** As one drop, whose line n is the nth reject. */
function replayBatch(rejects: StoredReject[], reads: ReadDrop[]): ReplayBatch {
  const read: ReplayBatch['read'] = {
    state: 'parsed',
    rows: Buffer.alloc(0),
    counts: { rowsIn: rejects.length, rowsOut: 0, filtered: 0, rejected: 0 },
    rejects: [],
  };
  const rows: Buffer[] = [];
  for (const [i, { text }] of rejects.entries()) {
    const one = reads[i];
    const line = i + 1;
    const [bad] = one.state === 'parsed' ? one.rejects : [{ reason: reasonOf(one), column: null }];
    if (bad) {
      read.rejects.push({ line, reason: bad.reason, column: bad.column, text });
      read.counts.rejected++;
    } else if (one.state === 'parsed') {
      rows.push(...withLine(one.rows, line));
      read.counts.rowsOut += one.counts.rowsOut;
      read.counts.filtered += one.counts.filtered;
    }
  }
  return { rejects, read: { ...read, rows: Buffer.concat(rows) } };
}

function reasonOf(read: ReadDrop): string {
  return read.state === 'dead' ? read.reason : 'its text is gone';
}

/** The rows of one drop as rows of that line. */
function withLine(rows: Buffer, line: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < rows.length; ) {
    const end = rows.indexOf(NEWLINE, at) + 1;
    const values = rows.indexOf(TAB, rows.indexOf(TAB, at) + 1);
    found.push(Buffer.from(`0\t${line}`), rows.subarray(values, end));
    at = end;
  }
  return found;
}
