/** Opens the place that a load's drops come from. */

import type { LakeOptions } from '../lake/settings.ts';
import type { DropSource } from './drop-source.ts';
import { parseFrom } from './place.ts';
import type { LoadSettings } from './settings.ts';

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
