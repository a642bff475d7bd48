/** Sizes and buffers of parts. Invariant: 10,000 parts hold the greatest object S3 takes, and an upload holds four buffers at most. */

const MIB = 1024 * 1024;

/** Bytes of the first parts. */
export const PART_SIZE = 8 * MIB;

/** Parts on their way at once; one more is being filled. */
export const PARTS_IN_FLIGHT = 3;

/**
 * Bytes of part `number` (1, 2 …): doubled each 1,000 parts, so that 8 MiB at first come to 8 TiB in 10,000. Equal but for
 * that: some S3-compatible servers want equal parts.
 */
export function partSize(number: number, first: number): number {
  return first * 2 ** Math.floor((number - 1) / 1000);
}

/** Lends part buffers: a new one for each part is work for the kernel and the collector. */
export type PartBuffers = { take(size: number): Buffer; give(buffer: Buffer): void };

export function createPartBuffers(): PartBuffers {
  const free: Buffer[] = [];
  return {
    take(size) {
      const at = free.findIndex((each) => each.length === size);
      // Not zeroed and not from the pool: pages that a small file never touches cost nothing.
      return at === -1 ? Buffer.allocUnsafeSlow(size) : free.splice(at, 1)[0];
    },
    give(buffer) {
      if (buffer.length <= 2 * PART_SIZE && free.length <= PARTS_IN_FLIGHT) free.push(buffer);
    },
  };
}
