/** Opens the lake of a configuration. Invariant: a file lake never loads the AWS SDK (33 MB and 80 ms of it). */

import type { Lake } from './lake.ts';
import { openLocalLake } from './local.ts';
import type { LakeConfig, LakeOptions } from './settings.ts';
import { parseLakeUrl } from './url.ts';

/** Connects to nothing yet: the first operation does. Throws CONFIG_INVALID for a URL or endpoint that cannot be read. */
export async function openLake(config: LakeConfig, options: LakeOptions = {}): Promise<Lake> {
  const address = parseLakeUrl(config.url, config.baseDir);
  if (address.kind === 'file') return openLocalLake(address.root);
  const { openS3Lake } = await import('./s3.ts');
  return openS3Lake(address, config.s3 ?? {}, options);
}
