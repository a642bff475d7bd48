/** Which files `--optimize` writes again. Pure. Invariant: afterwards no two files overlap, none has deleted rows, and a second time finds nothing to do. */

import { inKeyOrder, type PlannedFile, type Shape } from './plan.ts';

/** Files that are sorted together, in ranges that fit into memory and spool; `from`: the file with whose least key a range begins, null: at the least. */
export type Fold = { files: number[]; ranges: { from: number | null; files: number[] }[]; last: boolean };

export function planOptimize(files: PlannedFile[], shape: Shape, batchBytes: number): Fold[] {
  const ordered = inKeyOrder(files);
  const components = overlapping(ordered);
  const tail = tailOf(components, shape);
  const folds: PlannedFile[][] = [];
  let small: PlannedFile[] = [];
  const endSmall = () => {
    if (small.length > 1) folds.push(small);
    small = [];
  };
  for (const [i, component] of components.entries()) {
    const bytes = sum(component);
    const plain = component.length === 1 && component[0].gone === 0 && !component[0].outdated;
    if (!plain) {
      endSmall();
      folds.push(component);
    } else if (i >= tail || bytes >= shape.targetBytes / 2) {
      endSmall();
    } else {
      // More than a batch would be written in ranges, as several small files again.
      if (sum(small) + bytes > Math.min(shape.targetBytes, batchBytes)) endSmall();
      small.push(...component);
    }
  }
  endSmall();
  const last = ordered.at(-1);
  return folds.map((fold) => ({
    files: fold.map(({ file }) => file),
    ranges: rangesOf(fold, batchBytes),
    last: fold.includes(last!),
  }));
}

/** Files in the order of their keys, together where their ranges overlap. */
function overlapping(ordered: PlannedFile[]): PlannedFile[][] {
  const components: PlannedFile[][] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (const file of ordered) {
    if (components.length > 0 && file.low < highest) components.at(-1)!.push(file);
    else components.push([file]);
    highest = Math.max(highest, file.high);
  }
  return components;
}

/** The first component of the small files at the table's end, which writeSorted() leaves there on purpose. */
function tailOf(components: PlannedFile[][], shape: Shape): number {
  let first = components.length;
  let bytes = 0;
  while (first > 0 && components.length - first < shape.fanIn) {
    bytes += sum(components[first - 1]);
    if (bytes > 2 * shape.targetBytes) break;
    first--;
  }
  return first;
}

function rangesOf(files: PlannedFile[], batchBytes: number): Fold['ranges'] {
  const most = Math.max(1, Math.ceil(sum(files) / batchBytes));
  const starts: (PlannedFile | null)[] = [null];
  let bytes = 0;
  for (const file of files) {
    const start = starts.at(-1);
    // The same least key twice would make an empty range, and with no least key known there is none to begin with.
    const further = file.low > (start?.low ?? files[0].low) && Number.isFinite(file.low);
    if (further && bytes >= (sum(files) * starts.length) / most) starts.push(file);
    bytes += file.bytes;
  }
  return starts.map((start, i) => ({
    from: start?.file ?? null,
    files: files
      .filter(
        ({ low, high }) =>
          high >= (start?.low ?? Number.NEGATIVE_INFINITY) && low < (starts[i + 1]?.low ?? Number.POSITIVE_INFINITY),
      )
      .map(({ file }) => file),
  }));
}

function sum(files: PlannedFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}
