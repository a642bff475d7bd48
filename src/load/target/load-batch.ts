/**
 * One transaction: rows, rejects and ledger lines of a batch. Invariant: a drop is committed under the claim it was read under,
 * or not at all; a repeat after a commit that was not heard of finds what it did.
 */

import type pg from 'pg';
import { TidemarkError } from '../../model/error.ts';
import { displayName } from '../../model/table.ts';
import type { ParsedDrop } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import { copyIn } from './copy-in.ts';
import { cleanText, type Ledger } from './ledger.ts';
import type { BatchDrop, BatchOutcome, Claimed, DropOutcome, LoadedCounts, Originals } from './outcome.ts';
import { type PutInto, type PutRows, putRows, type Refused } from './put-rows.ts';
import { copyField } from './rows-text.ts';

export type BatchWork = {
  settings: LoadSettings;
  ledger: Ledger;
  into: PutInto;
  /** Rows that this process has committed, for the limit of rejects. */
  totals: { rowsIn: number; rejected: number };
  /** A place where a test may stop the process. */
  step: (name: string) => Promise<void>;
};

const NO_COUNTS: LoadedCounts = { rowsIn: 0, rowsOut: 0, filtered: 0, rejected: 0, known: 0 };
/** Of fewer rows a part says nothing. */
const LEAST_ROWS = 1_000;

type StoredLine = { drop: Claimed; line: number; column: string | null; reason: string; text: string };

/** In a transaction that has begun; commits it. Throws LOAD_REJECTS, and what pg and `originals` throw. */
export async function loadBatch(
  client: pg.ClientBase,
  work: BatchWork,
  batch: BatchDrop[],
  originals: Originals,
  signal: AbortSignal,
): Promise<BatchOutcome> {
  const { ledger, into, step } = work;
  const held = await ledger.lock(
    client,
    batch.map(({ drop }) => drop),
  );
  const ours = batch.filter(({ drop }) => held.get(drop.key) === 'claimed').toSorted((a, b) => a.number - b.number);
  const read = ours.flatMap(({ drop, number, read }) => (read.state === 'parsed' ? [{ drop, number, read }] : []));
  const touched = await touchedDrops(client, ledger, read);
  // Under on_conflict: update, old rows of a file that was only touched would replace newer ones.
  const parsed = read.filter(({ drop }) => !touched.has(drop.key));
  await step('locked');
  const rows = parsed.reduce((sum, { read }) => sum + read.counts.rowsOut, 0);
  const pieces = parsed.map(({ read }) => read.rows).filter(({ length }) => length > 0);
  const put: PutRows =
    rows === 0 ? { refused: [], written: null } : await putRows(client, into, pieces, rows, '_d', signal);
  await step('inserted');
  const refused = Map.groupBy(put.refused, ({ number }) => number);
  const rejects = parsed.flatMap(({ drop, read }) => read.rejects.map((reject) => ({ drop, ...reject })));
  for (const { drop, number } of parsed) {
    const some = refused.get(number);
    if (some) rejects.push(...(await withTexts(drop, some, originals)));
  }
  const outcomes = new Map<string, DropOutcome>();
  for (const { drop, number, read } of ours) {
    const same = touched.has(drop.key);
    const counts =
      read.state === 'parsed' && same
        ? { ...read.counts, known: read.counts.rowsOut }
        : read.state === 'parsed'
          ? countsOf(read.counts, refused.get(number)?.length ?? 0, put.written, number)
          : NO_COUNTS;
    const content = read.state === 'parsed' ? read.content : undefined;
    const overwritten = drop.overwritten && !same;
    const about = { key: drop.key, bytes: drop.bytes, overwritten, counts, content, touched: same };
    if (read.state === 'dead') outcomes.set(drop.key, { ...about, state: 'dead', reason: read.reason });
    else outcomes.set(drop.key, { ...about, state: read.state === 'gone' ? 'gone' : 'loaded' });
  }
  const done = [...outcomes.values()];
  const sum = (of: (counts: LoadedCounts) => number) => done.reduce((total, { counts }) => total + of(counts), 0);
  const [rowsIn, rejected] = [sum((counts) => counts.rowsIn), sum((counts) => counts.rejected)];
  checkLimit(work, rowsIn, rejected, rejects);
  if (rejects.length > 0) await storeRejects(client, ledger, rejects, signal);
  if (done.length > 0) await ledger.finish(client, done);
  await step('finished');
  await client.query('commit');
  await step('committed');
  work.totals.rowsIn += rowsIn;
  work.totals.rejected += rejected;
  return {
    drops: batch.map(({ drop }) => {
      const before = held.get(drop.key);
      if (before === undefined) {
        return { key: drop.key, bytes: drop.bytes, overwritten: drop.overwritten, counts: NO_COUNTS, state: 'lost' };
      }
      return before === 'claimed' ? outcomes.get(drop.key)! : before;
    }),
  };
}

/** Those that have another size or time than the ledger knew, and the same bytes. */
async function touchedDrops(
  client: pg.ClientBase,
  ledger: Ledger,
  drops: { drop: Claimed; read: ParsedDrop }[],
): Promise<Set<string>> {
  const again = drops.filter(({ drop, read }) => drop.overwritten && read.content !== undefined);
  if (again.length === 0) return new Set();
  const before = await ledger.contents(
    client,
    again.map(({ drop }) => drop),
  );
  return new Set(again.filter(({ drop, read }) => before.get(drop.key) === read.content).map(({ drop }) => drop.key));
}

function countsOf(
  read: Omit<LoadedCounts, 'known'>,
  refused: number,
  written: PutRows['written'],
  number: number,
): LoadedCounts {
  const rowsOut = read.rowsOut - refused;
  const known = written === null ? 0 : Math.max(0, rowsOut - (written.get(number) ?? 0));
  return { ...read, rowsOut, rejected: read.rejected + refused, known };
}

async function withTexts(drop: Claimed, refused: Refused[], originals: Originals): Promise<StoredLine[]> {
  const texts = await originals(
    drop,
    [...new Set(refused.map(({ line }) => line))].sort((a, b) => a - b),
  );
  return refused.map(({ line, column, reason }) => ({ drop, line, column, reason, text: texts.get(line) ?? '' }));
}

function checkLimit({ settings, totals }: BatchWork, rowsIn: number, rejected: number, rejects: StoredLine[]): void {
  const [all, bad] = [totals.rowsIn + rowsIn, totals.rejected + rejected];
  if (settings.rejectLimit === null || rejected === 0 || all < LEAST_ROWS || bad <= all * settings.rejectLimit) return;
  const reasons = Map.groupBy(rejects, ({ column, reason }) => `${column === null ? '' : `${column}: `}${reason}`);
  const [most] = [...reasons].toSorted(([, a], [, b]) => b.length - a.length);
  const where = most ? `; mostly: ${most[0]} (as in ${most[1][0].drop.key}, line ${most[1][0].line})` : '';
  throw new TidemarkError(
    'LOAD_REJECTS',
    `${bad} of ${all} rows are rejected, more than reject_limit (${Number((settings.rejectLimit * 100).toFixed(4))}%)${where}`,
    {
      table: displayName(settings.into),
      hint: 'what was loaded before stays, this batch is not loaded; correct the columns or raise reject_limit, then run the load again',
    },
  );
}

async function storeRejects(
  client: pg.ClientBase,
  { at, load }: Ledger,
  rejects: StoredLine[],
  signal: AbortSignal,
): Promise<void> {
  await copyIn(
    client,
    `copy ${at}.load_reject (load, key, etag, line, "column", reason, text) from stdin (format text, encoding 'UTF8')`,
    linesOf(load, rejects),
    signal,
  );
}

/** One at a time: texts of megabytes must not all exist twice. */
function* linesOf(load: string, rejects: StoredLine[]): Iterable<Uint8Array> {
  for (const { drop, line, column, reason, text } of rejects) {
    const fields = [load, drop.key, drop.etag, String(line), column, cleanText(reason), text];
    yield Buffer.from(`${fields.map(copyField).join('\t')}\n`);
  }
}
