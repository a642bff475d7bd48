/** What it means that a file is gone which a log or the manifest names. Pure. */

import { TidemarkError } from '../model/error.ts';
import { isCode } from './delta/table.ts';

/** The error, or one that says what to do where it is a missing file. `version`: that was asked for, instead of the newest. */
export function missingFile(error: unknown, version?: number): unknown {
  const key = isCode(error, 'LAKE_NOT_FOUND') ? (error as TidemarkError).place.key : undefined;
  if (key === undefined) return error;
  if (key.startsWith('raw/')) {
    return new TidemarkError('LAKE_NOT_FOUND', 'a raw file is missing: somebody or a lifecycle rule deleted it', {
      key,
      hint: 'bring it back; or tidemark export --full and then compact, which need none of the older files',
      cause: error,
    });
  }
  if (version !== undefined) {
    return new TidemarkError('STAGED_VERSION', `a file of version ${version} is there no more`, {
      key,
      hint: '`tidemark vacuum` deletes the files of versions that are older than the retention',
      cause: error,
    });
  }
  return new TidemarkError(
    'STAGED_BROKEN',
    'a file of the staged table is missing: somebody or a lifecycle rule deleted it',
    {
      key,
      hint: 'tidemark compact --rebuild makes the staged table anew from the raw files',
      cause: error,
    },
  );
}
