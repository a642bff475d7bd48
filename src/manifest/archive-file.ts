/**
 * The bytes of an archive: lines of JSON under zstd with a checksum, a first line that says what it is, then one line for each run.
 * Invariant: what comes back is what went in, or an error; every bigint is text.
 */

import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import type { Archive, ArchivedRun } from '../state/archives.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Of the form of an archive. Files of greater ones are refused. */
const VERSION = 1;

/** Unpacked bytes of one archive; a run has some hundred, and as many for each file. */
const MOST_BYTES = 2 ** 30;

export function encodeArchive(runs: readonly ArchivedRun[], folder: string): Promise<Buffer> {
  const head = { tidemark: 'manifest', version: VERSION, folder, runs: runs.length };
  const lines = [head, ...runs].map((each) =>
    JSON.stringify(each, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
  return compress(Buffer.from(`${lines.join('\n')}\n`), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** Throws LAKE_NOT_FOUND and other LAKE_*, and MANIFEST_BROKEN. */
export async function readArchive(
  lake: Pick<Lake, 'get'>,
  archive: Archive,
  signal: AbortSignal,
): Promise<ArchivedRun[]> {
  return decodeArchive(await lake.get(archive.key, signal), archive);
}

/** Throws MANIFEST_BROKEN unless it holds the runs that the state store says. */
async function decodeArchive(
  body: Buffer,
  archive: Pick<Archive, 'key' | 'fromRun' | 'toRun' | 'runs'>,
): Promise<ArchivedRun[]> {
  const text = await decompress(body, { maxOutputLength: MOST_BYTES }).catch((cause: unknown) => {
    throw brokenArchive(archive.key, 'it cannot be unpacked', cause);
  });
  const [head, ...lines] = text.toString().split('\n').slice(0, -1);
  try {
    const { tidemark, version } = JSON.parse(head);
    if (tidemark !== 'manifest' || version !== VERSION) throw new Error(`it says ${head.slice(0, 200)}`);
    const runs = lines.map(runOf);
    const ends = [runs.length, runs[0]?.run, runs.at(-1)?.run];
    if (ends.some((found, i) => found !== [archive.runs, archive.fromRun, archive.toRun][i])) {
      throw new Error(`it has ${ends[0]} runs, ${ends[1]} to ${ends[2]}`);
    }
    return runs;
  } catch (cause) {
    throw brokenArchive(archive.key, (cause as Error).message, cause);
  }
}

function runOf(line: string): ArchivedRun {
  const { run, rows, lateRows, bytes, ...rest } = JSON.parse(line);
  return { ...rest, run: BigInt(run), rows: BigInt(rows), lateRows: BigInt(lateRows), bytes: BigInt(bytes) };
}

export function brokenArchive(key: string, why: string, cause?: unknown): TidemarkError {
  return new TidemarkError('MANIFEST_BROKEN', `the manifest of old runs cannot be read from ${key}: ${why}`, {
    cause,
    hint: 'bring the file back from a copy of the lake; else `tidemark export --full`, which needs no run before it, then `tidemark compact`',
  });
}
