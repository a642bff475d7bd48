/** One drop, from its bytes to rows for COPY. Invariant: whatever the bytes are, the answer says what became of them; it never throws for them. */

import type { Duck } from '../../duckdb/duck.ts';
import { passed } from '../../lake/garbage.ts';
import { TidemarkError } from '../../model/error.ts';
import type { ReadDrop } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import { type BlockReader, Unreadable } from './block-reader.ts';
import { CsvReader } from './csv.ts';
import { formatOf } from './formats.ts';
import { ArrayReader } from './json-array.ts';
import { JsonScanner } from './json-scan.ts';
import { LineTexts } from './line-texts.ts';
import { LineReader } from './lines.ts';
import { readParquet } from './parquet.ts';
import type { RowSink } from './row-sink.ts';
import type { Rows, RowsDrop } from './rows.ts';
import { type Source, unpacked } from './unpack.ts';

export type ReadOptions = {
  settings: LoadSettings;
  /** Opened when the first Parquet drop comes, its folder with it. */
  duck: () => Promise<Duck>;
  /** For Parquet drops that came as bytes. */
  tempFolder: string;
};

/** Reads a drop to the end. */
export async function readDrop(source: Source, drop: RowsDrop, rows: Rows, options: ReadOptions): Promise<ReadDrop> {
  rows.begin(drop);
  try {
    await readRows(source, drop.key, rows, options);
    const read = rows.finish();
    return 'path' in source && source.content !== undefined ? { ...read, content: source.content } : read;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: 'gone' };
    return { state: 'dead', reason: reasonOf(error) };
  }
}

// About the drop; others, such as too many open files, are about this machine.
const OF_THE_FILE = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'EIO']);

/** Throws what is not about the drop. One that we fail on must not keep all others from being loaded, every time. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  if (error instanceof TidemarkError) throw error;
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (syscall !== undefined && !OF_THE_FILE.has(code ?? '')) throw error;
  return syscall === undefined ? `a defect of tidemark: ${message}` : message;
}

/** The original texts of some lines, as a reject shows them; what cannot be read any more is left out. */
export async function readLines(
  source: Source,
  drop: RowsDrop,
  lines: number[],
  options: ReadOptions,
): Promise<Map<number, string>> {
  const texts = new LineTexts(options.settings, lines);
  try {
    await readRows(source, drop.key, texts, options);
  } catch {
    // It was readable before: what has been found is worth more than why no more was.
  }
  return texts.found;
}

async function readRows(source: Source, key: string, rows: RowSink, options: ReadOptions): Promise<void> {
  const { settings } = options;
  let reader: BlockReader | null = null;
  // Always one block behind: only the next one tells whether it is the last.
  let rest: Buffer = Buffer.alloc(0);
  for await (const block of unpacked(source, key, settings.limits)) {
    passed(block.length);
    if (reader !== null) {
      rest = rest.subarray(reader.read(rest, false));
      rest = rest.length === 0 ? block : Buffer.concat([rest, block]);
      continue;
    }
    rest = rest.length === 0 ? block : Buffer.concat([rest, block]);
    if (formatOf(settings.format, key, rest) === 'parquet') return readParquet(source, rows, options);
    rest = withoutMark(rest);
    reader = readerOf(formatOf(settings.format, key, rest), rest, rows, settings);
  }
  reader ??= readerOf(formatOf(settings.format, key, rest), rest, rows, settings);
  reader.read(rest, true);
}

/** Throws Unreadable for UTF-16, which no format here is. */
function withoutMark(b: Buffer): Buffer {
  if ((b[0] === 0xff && b[1] === 0xfe) || (b[0] === 0xfe && b[1] === 0xff)) throw new Unreadable('UTF-16, not UTF-8');
  return b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf ? b.subarray(3) : b;
}

function readerOf(format: string, begin: Buffer, rows: RowSink, settings: LoadSettings): BlockReader {
  const { lineBytes } = settings.limits;
  if (format === 'csv') return new CsvReader(rows, lineBytes);
  if (format !== 'json') return new LineReader(rows, lineBytes);
  if (/^\s*\[/.test(begin.toString('latin1', 0, 4096))) return new ArrayReader(rows, lineBytes);
  // One object over many lines; several of them, a line each, are JSON lines under another name.
  const alone = new JsonScanner([]).scan(begin, 0, begin.length) === null && begin.length <= lineBytes;
  const lines = new LineReader(rows, lineBytes);
  return alone ? new WholeReader(rows, lines) : lines;
}

class WholeReader implements BlockReader {
  readonly #rows: RowSink;
  readonly #lines: LineReader;
  #alone = true;

  constructor(rows: RowSink, lines: LineReader) {
    this.#rows = rows;
    this.#lines = lines;
  }

  read(b: Buffer, last: boolean): number {
    // The first line happened to fill the first block.
    if (!last) this.#alone = false;
    if (!this.#alone) return this.#lines.read(b, last);
    this.#rows.json(b, 0, b.length, 1);
    return b.length;
  }
}
