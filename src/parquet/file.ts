/** One Parquet file, as bytes in order. Invariant: the caller writes every buffer it is given, in that order, and nothing else. */

import { encodeFooter, type PlacedRowGroup, placed } from './footer.ts';
import type { EncodedRowGroup } from './row-group.ts';
import type { ParquetColumn } from './schema.ts';
import { type Bounds, mergeBounds } from './statistics.ts';

const MAGIC = 'PAR1';
/** Parts up to this size are joined: a wide table's thousands of pages would be a write each. */
const SMALL = 64 * 1024;

export type FileOptions = { createdBy: string; metadata?: Readonly<Record<string, string>> };

export class ParquetFile {
  readonly #columns: readonly ParquetColumn[];
  readonly #options: FileOptions;
  readonly #groups: PlacedRowGroup[] = [];
  #bytes = 0;
  #rows = 0;

  constructor(columns: readonly ParquetColumn[], options: FileOptions) {
    this.#columns = columns;
    this.#options = options;
  }

  /** Bytes given out so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get rows(): bigint {
    return BigInt(this.#rows);
  }

  /** The file's first bytes. */
  start(): Buffer {
    const magic = Buffer.from(MAGIC);
    this.#bytes += magic.length;
    return magic;
  }

  /** The group's bytes. They come straight from the encoder and are not kept. */
  append(group: EncodedRowGroup): Buffer[] {
    this.#groups.push(placed(group, this.#bytes));
    this.#bytes += group.bytes;
    this.#rows += group.rows;
    return joined(group.chunks.flatMap((chunk) => chunk.parts));
  }

  /** The file's last bytes. */
  finish(): Buffer {
    const footer = encodeFooter({
      columns: this.#columns,
      rows: this.#rows,
      groups: this.#groups,
      createdBy: this.#options.createdBy,
      metadata: this.#options.metadata ?? {},
    });
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(footer.length);
    tail.write(MAGIC, 4);
    this.#bytes += footer.length + tail.length;
    return Buffer.concat([footer, tail]);
  }

  /** Bounds over all groups so far, as PLAIN bytes; null when no value is there or a group's are unknown. */
  bounds(name: string): { min: Buffer; max: Buffer; minExact: boolean; maxExact: boolean } | null {
    const index = this.#columns.findIndex((column) => column.name === name);
    if (index < 0) return null;
    const chunks = this.#groups.map((group) => group.chunks[index]).filter((chunk) => chunk.values > 0);
    let all: Bounds | null = null;
    for (const { stats } of chunks) {
      if (stats === null) return null;
      all = all === null ? stats : mergeBounds(this.#columns[index].type, all, stats);
    }
    if (all === null || all.min === null || all.max === null) return null;
    return { min: all.min, max: all.max, minExact: all.minExact, maxExact: all.maxExact };
  }
}

function joined(parts: Buffer[]): Buffer[] {
  const result: Buffer[] = [];
  let small: Buffer[] = [];
  let size = 0;
  const flush = () => {
    if (small.length > 0) result.push(small.length === 1 ? small[0] : Buffer.concat(small, size));
    small = [];
    size = 0;
  };
  for (const part of parts) {
    if (part.length > SMALL) {
      flush();
      result.push(part);
      continue;
    }
    small.push(part);
    size += part.length;
    if (size > SMALL) flush();
  }
  flush();
  return result;
}
