/** Where drops come from. Invariant: what the parser reads of a drop is all of what was listed, or the drop counts as gone. */

import type { LakeOptions } from '../lake/settings.ts';
import type { Drop } from './drop.ts';
import { parseFrom } from './place.ts';
import type { LoadSettings } from './settings.ts';

/** A drop's packed bytes; whoever parses takes them over. */
export type DropInput = { bytes: Uint8Array<ArrayBuffer> } | { path: string };

/** The key after which the listing of a prefix begins; null: at its start. */
export type ListStart = (prefix: string) => Promise<string | null>;

export type DropSource = AsyncDisposable & {
  /** For people: the folder or bucket. */
  readonly url: string;
  /** Those of the days that a date pattern means, in the order of their names within a day; never all in memory. */
  list(days: string[], signal: AbortSignal, start?: ListStart): AsyncIterable<Drop>;
  /** Hands the drop's bytes to `parse`. `gone`: it was removed or written anew since it was listed. Throws LAKE_*. */
  read<T>(drop: Drop, parse: (input: DropInput) => Promise<T>, signal: AbortSignal): Promise<T | 'gone'>;
};

/** Connects to nothing yet. `temporary`: where large objects lie while they are parsed. Throws CONFIG_INVALID. */
export async function openDropSource(
  settings: LoadSettings,
  temporary: string,
  options: LakeOptions = {},
): Promise<DropSource> {
  const place = parseFrom(settings.from, settings.baseDir);
  if (place.kind === 'file') {
    const { openLocalDrops } = await import('./local-drops.ts');
    return openLocalDrops(place);
  }
  const { openS3Drops } = await import('./s3-drops.ts');
  return openS3Drops(place, settings.s3, temporary, options);
}
