/** Reads `from:`, where a load's drops lie. Pure. */

import path from 'node:path';
import { TidemarkError } from '../model/error.ts';
import { fillDay, hasDate } from './days.ts';
import { compileGlob, type Glob } from './glob.ts';

/** `pattern`: of names below `root`, or of keys in the bucket; dates are not filled in yet. */
export type Place =
  | { kind: 'file'; root: string; pattern: string; dated: boolean }
  | { kind: 's3'; bucket: string; pattern: string; dated: boolean };

/** `s3://bucket/{yyyy}-{mm}-{dd}/*.json.gz`, `file:./drops/**` (relative to `baseDir`), `file:/drops`. Throws CONFIG_INVALID. */
export function parseFrom(from: string, baseDir: string): Place {
  const place = from.startsWith('file:') ? parseFile(from.slice(5), baseDir) : parseS3(from);
  // Whether the pattern can be read at all.
  compileGlob(fillDay(place.pattern, '2000-01-01'));
  return place;
}

function parseS3(from: string): Place {
  const [, bucket, pattern = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(from) ?? [];
  if (bucket === undefined) throw invalid('it starts with neither `file:` nor `s3://`');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket)) throw invalid('the bucket name is not one of S3');
  return { kind: 's3', bucket, pattern, dated: hasDate(pattern) };
}

function parseFile(rest: string, baseDir: string): Place {
  // `file://drops/x` is host `drops` to a URL parser: taking it for a path would read elsewhere than meant.
  if (rest.startsWith('//') && !rest.startsWith('///')) throw invalid('a file URL has no host');
  const written = rest.replace(/^\/\/\//, '/');
  if (written === '' || written.includes('\0')) throw invalid('the folder is missing');
  const fixed = written.slice(0, written.search(/[*?[{]|$/));
  const cut = fixed.lastIndexOf('/') + 1;
  const pattern = written.slice(cut);
  if (pattern.split('/').some((part) => part === '..' || part === '.')) {
    // `file:.` and `file:..` are folders.
    if (fixed !== written) throw invalid('there is a `.` or `..` behind a wildcard');
    return { kind: 'file', root: path.resolve(baseDir, written), pattern: '', dated: false };
  }
  const root = path.resolve(baseDir, cut === 0 ? '.' : written.slice(0, cut));
  return { kind: 'file', root, pattern, dated: hasDate(pattern) };
}

/** One pattern a day, those with the same beginning together: each group is one listing. */
export function globsOf({ pattern, dated }: Place, days: string[]): { prefix: string; globs: Glob[] }[] {
  const written = dated ? new Set(days.map((day) => fillDay(pattern, day))) : [pattern];
  const groups = new Map<string, Glob[]>();
  for (const glob of [...written].map(compileGlob)) {
    groups.set(glob.prefix, [...(groups.get(glob.prefix) ?? []), glob]);
  }
  return [...groups].map(([prefix, globs]) => ({ prefix, globs }));
}

function invalid(why: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `the place of the drops cannot be read: ${why}`, {
    hint: 'from: s3://bucket/events/{yyyy}-{mm}-{dd}/*.json.gz or from: file:./drops/** (relative to the configuration file)',
  });
}
