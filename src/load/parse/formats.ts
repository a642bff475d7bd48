/** What a drop is: by the settings, else its suffix, else its first bytes. Pure. */

import type { DropFormat } from '../settings.ts';

const PACKED = /\.(gz|gzip|zst|zstd)$/i;

/** `begin`: the first bytes, unpacked. A `.json` is JSON lines unless it begins with `[`; what has no telling suffix is JSON lines. */
export function formatOf(configured: DropFormat | null, key: string, begin: Buffer): DropFormat {
  const name = key.replace(PACKED, '');
  const suffix = /\.([^./]+)$/.exec(name)?.[1].toLowerCase();
  if (configured === null && begin.toString('latin1', 0, 4) === 'PAR1') return 'parquet';
  const named = configured ?? (suffix === 'csv' || suffix === 'tsv' ? 'csv' : suffix === 'parquet' ? 'parquet' : null);
  if (named === 'csv' || named === 'jsonl') return named;
  const first = begin.subarray(0, 1024).toString('latin1').trimStart();
  // What was rejected of a Parquet drop comes again as the JSON of its row.
  if (named === 'parquet') return first.startsWith('{') ? 'jsonl' : 'parquet';
  if (configured === null && (suffix === 'jsonl' || suffix === 'ndjson')) return 'jsonl';
  return first.startsWith('[') || configured === 'json' || suffix === 'json' ? 'json' : 'jsonl';
}
