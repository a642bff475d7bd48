/** Sets of transaction ids as sorted, disjoint ranges; in text as Postgres's int8multirange. */

import type { IdRange } from './mark.ts';

/** The same set, sorted, with overlapping and touching ranges made one. */
export function normalize(ranges: IdRange[]): IdRange[] {
  const sorted = ranges.filter((r) => r.from < r.to).sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const result: IdRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last && range.from <= last.to) {
      if (range.to > last.to) last.to = range.to;
    } else result.push({ ...range });
  }
  return result;
}

/** What of the set lies at or above `least`. */
export function atOrAbove(ranges: IdRange[], least: bigint): IdRange[] {
  return ranges.filter((r) => r.to > least).map((r) => (r.from < least ? { from: least, to: r.to } : r));
}

/** The parts of `within` that are not in the set. `ranges` need not be sorted. */
export function complement(ranges: IdRange[], within: IdRange): IdRange[] {
  const result: IdRange[] = [];
  let from = within.from;
  for (const range of normalize(ranges)) {
    if (range.to <= from) continue;
    if (range.from >= within.to) break;
    if (range.from > from) result.push({ from, to: range.from });
    from = range.to;
  }
  if (from < within.to) result.push({ from, to: within.to });
  return result;
}

export function contains(ranges: IdRange[], id: bigint): boolean {
  return ranges.some((r) => r.from <= id && id < r.to);
}

/** Ranges that hold just these ids. */
export function rangesOf(ids: Iterable<bigint>): IdRange[] {
  return normalize([...ids].map((id) => ({ from: id, to: id + 1n })));
}

/** `{[1,5),[7,8)}`, as Postgres prints an int8multirange. */
export function formatRanges(ranges: IdRange[]): string {
  return `{${ranges.map((r) => `[${r.from},${r.to})`).join(',')}}`;
}

/** Postgres's canonical text of an int8multirange. */
export function parseRanges(text: string): IdRange[] {
  return [...text.matchAll(/\[(\d+),(\d+)\)/g)].map((m) => ({ from: BigInt(m[1]), to: BigInt(m[2]) }));
}
