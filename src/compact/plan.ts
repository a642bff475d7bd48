/**
 * Which of a table's files are written again, together with which others. Pure. Invariant: a file that holds a changed row is
 * written again or marked; any other only where small files have become many, so that each row is moved about log n times.
 */

export type PlannedFile = {
  /** Its number in this plan. */
  file: number;
  bytes: number;
  /** Physical rows. */
  rows: number;
  /** Rows that are deleted by the file's deletion vector. */
  gone: number;
  /** Rows that this change replaces or deletes. */
  hits: number;
  /** Ranks of the least and greatest key among those of all files: files overlap where these do. */
  low: number;
  high: number;
  /** Its columns are no longer those of the table. */
  outdated: boolean;
};

/** Files that are written again as one sequence of rows. `sort`: their key ranges overlap; else `files` are in the order of their keys. */
export type Group = { files: number[]; sort: boolean };

export type FilePlan = {
  rewrite: Group[];
  /** Files that stay, with more rows marked as deleted. */
  mark: number[];
};

export type Shape = {
  /** Files of this size and above are left alone unless a row of theirs changes. */
  targetBytes: number;
  /** So many files of one tier are folded into one. */
  fanIn: number;
  /** Files up to this size that are written again anyway become one, up to twice as large. */
  smallBytes: number;
  /** The least size of the first tier; each further one is `fanIn` times as large. */
  tierBytes: number;
  /** Part of a file's rows beyond which it is written again rather than marked. */
  markedPart: number;
};

export const SHAPE: Shape = {
  targetBytes: 32 * 2 ** 20,
  fanIn: 8,
  smallBytes: 2 * 2 ** 20,
  tierBytes: 32 * 2 ** 10,
  markedPart: 0.2,
};

/** What becomes of each file. `mode`: the table's `merge`. */
export function planFiles(files: PlannedFile[], mode: 'rewrite' | 'vectors', shape: Shape = SHAPE): FilePlan {
  const marks = new Set<number>();
  const touched: PlannedFile[] = [];
  for (const file of files) {
    // Back to plain files: with `rewrite` no deletion vector stays.
    const wanted = file.outdated || file.hits > 0 || (mode === 'rewrite' && file.gone > 0);
    if (!wanted) continue;
    const marked = (file.gone + file.hits) / file.rows;
    if (mode === 'vectors' && !file.outdated && marked <= shape.markedPart) marks.add(file.file);
    else touched.push(file);
  }
  const untouched = files.filter((file) => !marks.has(file.file) && !touched.includes(file));
  const folds = foldTiers(untouched, shape);
  return { rewrite: [...joinSmall(touched, shape), ...folds], mark: [...marks] };
}

/** Small files that are written again anyway are written as one: it costs nothing, and they do not pile up. */
function joinSmall(touched: PlannedFile[], shape: Shape): Group[] {
  const small = touched.filter(({ bytes }) => bytes <= shape.smallBytes);
  const large = touched.filter(({ bytes }) => bytes > shape.smallBytes);
  return [...large.map(({ file }) => ({ files: [file], sort: false })), ...pack(small, 2 * shape.smallBytes)];
}

function foldTiers(files: PlannedFile[], shape: Shape): Group[] {
  const tiers = new Map<number, PlannedFile[]>();
  for (const file of files) {
    // A file of half the size is large enough: files that deletes have shrunk a little need no company.
    if (file.bytes >= shape.targetBytes / 2) continue;
    const tier = tierOf(file.bytes, shape);
    tiers.set(tier, [...(tiers.get(tier) ?? []), file]);
  }
  return [...tiers.values()]
    .filter((tier) => tier.length >= shape.fanIn)
    .flatMap((tier) => pack(tier, shape.targetBytes))
    .filter(({ files }) => files.length > 1);
}

function tierOf(bytes: number, { tierBytes, fanIn }: Shape): number {
  let tier = 0;
  for (let limit = tierBytes; bytes >= limit; limit *= fanIn) tier++;
  return tier;
}

/** Files in the order of their keys, as many in a group as its size allows. */
function pack(files: PlannedFile[], limitBytes: number): Group[] {
  const groups: PlannedFile[][] = [];
  let bytes = 0;
  for (const file of inKeyOrder(files)) {
    if (groups.length === 0 || bytes + file.bytes > limitBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(file);
    bytes += file.bytes;
  }
  return groups.map(asGroup);
}

export function inKeyOrder<File extends { low: number; high: number }>(files: File[]): File[] {
  return files.toSorted((a, b) => a.low - b.low || a.high - b.high);
}

/** `files` in the order of their keys. */
export function asGroup(files: { file: number; low: number; high: number }[]): Group {
  let highest = Number.NEGATIVE_INFINITY;
  let sort = false;
  for (const { low, high } of files) {
    if (low < highest) sort = true;
    highest = Math.max(highest, high);
  }
  return { files: files.map(({ file }) => file), sort };
}
