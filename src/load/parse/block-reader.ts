/** What reads a drop's unpacked bytes, block after block. */

export interface BlockReader {
  /**
   * Takes rows from a block; how many bytes of it are done with: the rest comes again at the head of the next block. `last`: nothing follows.
   * Throws Unreadable.
   */
  read(b: Buffer, last: boolean): number;
}

/** A drop that cannot be read at all; the message is its reason. */
export class Unreadable extends Error {}
