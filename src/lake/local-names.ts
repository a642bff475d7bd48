/** Names in a local lake. Invariant: no key leads outside the lake's folder, none into its uploads. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import type { UploadOwner } from './lake.ts';

/** Where files lie until they are complete; mirrors the folders of the lake, so that a prefix finds its uploads. */
export const UPLOADS = '_uploads';

const TEMPORARY = /^(.+)\.(?:run-\d+\.token-\d+|put)\.[0-9a-f]{12}\.tmp$/s;

/** The key's path. Throws INTERNAL for a key that names no file below the root. */
export function pathOf(root: string, key: string): string {
  const parts = key.split('/');
  const odd = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (odd || parts[0] === UPLOADS) {
    throw new TidemarkError('INTERNAL', 'this key cannot be a file of a local lake', { key });
  }
  return join(root, ...parts);
}

/** A new temporary file's path below the root; it says whose it is to people who look, and no two are equal. */
export function temporaryId(key: string, owner: UploadOwner | null): string {
  const whose = owner === null ? 'put' : `run-${owner.run}.token-${owner.token}`;
  return `${UPLOADS}/${key}.${whose}.${randomBytes(6).toString('hex')}.tmp`;
}

/** The key that a temporary file (its path below the root) was begun for; null if it is none of ours. */
export function keyOfTemporary(id: string): string | null {
  return id.startsWith(`${UPLOADS}/`) ? (TEMPORARY.exec(id.slice(UPLOADS.length + 1))?.[1] ?? null) : null;
}

/** The path of a temporary file named in the state store. Throws INTERNAL for what is not one. */
export function temporaryPath(root: string, id: string): string {
  const key = keyOfTemporary(id);
  if (key === null) throw new TidemarkError('INTERNAL', 'not an upload of a local lake', { key: id });
  pathOf(root, key);
  return join(root, ...id.split('/'));
}
