/** Reads the lake's URL. Invariant: no part of a URL that may hold a secret gets into an error. */

import { resolve } from 'node:path';
import { TidemarkError } from '../model/error.ts';

export type LakeAddress = { kind: 'file'; root: string } | { kind: 's3'; bucket: string; prefix: string };

/**
 * `file:./lake` (relative to `baseDir`), `file:/lake`, `file:///lake` or `s3://bucket/prefix`; the prefix comes back
 * without slashes at its ends. Throws CONFIG_INVALID.
 */
export function parseLakeUrl(url: string, baseDir: string): LakeAddress {
  if (url.startsWith('file:')) return parseFile(url.slice('file:'.length), baseDir);
  if (url.startsWith('s3://')) return parseS3(url.slice('s3://'.length));
  throw invalid('it starts with neither `file:` nor `s3://`');
}

function parseFile(rest: string, baseDir: string): LakeAddress {
  // `file://lake/x` is host `lake` to a URL parser: taking it for a path would write somewhere else than meant.
  if (rest.startsWith('//') && !rest.startsWith('///')) throw invalid('a file URL has no host');
  const path = rest.replace(/^\/\/\//, '/');
  if (path === '' || path.includes('\0')) throw invalid('the folder is missing');
  return { kind: 'file', root: resolve(baseDir, path) };
}

function parseS3(rest: string): LakeAddress {
  const [bucket = '', ...parts] = rest.split('/');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket)) throw invalid('the bucket name is not one of S3');
  const prefix = parts.filter((part) => part !== '');
  if (prefix.some((part) => part === '.' || part === '..' || /[?#\\]/.test(part))) {
    throw invalid('the prefix has `.`, `..`, `?`, `#` or a backslash in it');
  }
  return { kind: 's3', bucket, prefix: prefix.join('/') };
}

function invalid(why: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `the lake's URL cannot be read: ${why}`, {
    hint: 'lake: file:./lake (relative to the configuration file) or lake: s3://bucket/prefix; credentials come from the AWS chain alone',
  });
}
