/** Cuts tables into ranges of blocks of about the same size. Pure. */

/**
 * The block at which each of at most `parts` ranges begins, in every leaf at once; 0 is the first. `blocks`: how many each leaf
 * has. All leaves together have about the same number of blocks in each range.
 */
export function cutBlocks(blocks: number[], parts: number): number[] {
  const total = blocks.reduce((sum, each) => sum + each, 0);
  const most = Math.min(parts, total);
  const starts = [0];
  // Below block `from` lie `before` blocks; from there on `width` leaves have one more in each row of blocks.
  let [from, before] = [0, 0];
  for (const [i, end] of blocks.toSorted((a, b) => a - b).entries()) {
    const width = blocks.length - i;
    while (starts.length < most) {
      const start = from + Math.round(((total * starts.length) / most - before) / width);
      if (start >= end) break;
      // Two ranges of the same row of blocks are one.
      starts.push(Math.max(start, starts.at(-1)! + 1));
    }
    before += (end - from) * width;
    from = end;
  }
  return starts.filter((start) => start === 0 || start < from);
}
