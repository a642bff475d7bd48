/** From the entries of `loads:` to their settings: defaults, absolute paths, and what one key alone cannot tell. Pure. */

import path from 'node:path';
import { parseFrom } from '../load/place.ts';
import type { Comparison, Keep, LoadSettings, Scalar } from '../load/settings.ts';
import { TidemarkError } from '../model/error.ts';
import type { TableName } from '../model/table.ts';
import { isPattern, parsePattern } from '../model/table-pattern.ts';
import { parseDatabaseUrl } from '../postgres/database-url.ts';
import { parseRowPath } from './row-path.ts';
import type { ParsedConfig } from './schema.ts';
import type { Path } from './yaml-text.ts';

type Entry = NonNullable<ParsedConfig['loads']>[number];

const MB = 2 ** 20;

export function toLoads({ loads = [], s3, state }: ParsedConfig, baseDir: string): LoadSettings[] {
  return loads.map((entry) => ({
    name: entry.load,
    from: entry.from,
    baseDir,
    s3: { ...s3, ...entry.s3 },
    windowMs: entry.window ?? null,
    timezone: entry.timezone ?? 'UTC',
    afterMs: entry.after ?? null,
    into: tableOf(entry.into),
    target: { url: entry.target, caFile: null, auth: entry.auth, awsRegion: entry.s3?.region ?? s3?.region },
    key: entry.key,
    columns: Object.entries(entry.columns).map(([name, column]) => ({
      name,
      type: column.type,
      path: column.from === undefined ? [name] : parseRowPath(column.from),
      required: column.required ?? false,
      default: column.default,
    })),
    keep: keepOf(entry),
    transform: entry.transform === undefined ? null : path.resolve(baseDir, entry.transform),
    onConflict: entry.on_conflict ?? 'nothing',
    format: entry.format ?? null,
    limits: {
      lineBytes: entry.limits?.line ?? 16 * MB,
      inflatedBytes: entry.limits?.inflated ?? 1024 * MB,
      ratio: entry.limits?.ratio ?? 200,
    },
    rejectLimit: entry.reject_limit ?? null,
    budget: {
      slower: entry.budget?.slower ?? 4,
      lagMs: entry.budget?.lag ?? 30_000,
      lockWaits: entry.budget?.lock_waits ?? 5,
    },
    connections: entry.connections ?? 8,
    ...(entry.schedule === undefined ? {} : { schedule: entry.schedule }),
    ledgerSchema: state?.schema ?? 'tidemark',
  }));
}

/** Without a schema it is public's. Throws CONFIG_INVALID. */
function tableOf(text: string): TableName {
  if (isPattern(text)) {
    throw new TidemarkError('CONFIG_INVALID', 'a load goes into one table, and a pattern stands for many');
  }
  const { schema, table } = parsePattern(text);
  return { schema: schema?.text ?? 'public', table: table.text };
}

/** A condition's name is a column's, else a path into the row. */
function keepOf({ keep = {}, columns }: Entry): Keep {
  return Object.entries(keep).map(([name, is]) => ({
    path: parseRowPath(Object.hasOwn(columns, name) ? (columns[name].from ?? name) : name),
    is: Array.isArray(is) ? { in: is as Scalar[] } : comparisonOf(is as Comparison),
  }));
}

// zod's output carries the keys that were not written as undefined.
function comparisonOf(is: Comparison): Comparison {
  return Object.fromEntries(Object.entries(is).filter(([, value]) => value !== undefined));
}

/** What is wrong with the entries beyond the form of each key; `check` takes the place and a test that may throw. */
export function checkLoads(
  { loads = [] }: ParsedConfig,
  baseDir: string,
  check: (at: Path, test: () => unknown) => void,
): void {
  const invalid = (message: string, hint?: string) => new TidemarkError('CONFIG_INVALID', message, { hint });
  for (const [i, entry] of loads.entries()) {
    const at = (...path: Path): Path => ['loads', i, ...path];
    check(at('load'), () => {
      if (loads.findIndex(({ load }) => load === entry.load) !== i) throw invalid('two loads have this name');
    });
    check(at('target'), () => parseDatabaseUrl(entry.target, "the target's URL"));
    check(at('from'), () => parseFrom(entry.from, baseDir));
    check(at('into'), () => tableOf(entry.into));
    for (const [name, { from }] of Object.entries(entry.columns)) {
      if (from !== undefined) check(at('columns', name, 'from'), () => parseRowPath(from));
    }
    check(at('columns'), () => {
      if (Object.keys(entry.columns).length === 0) throw invalid('a load has at least one column');
    });
    for (const name of entry.key) {
      check(at('key'), () => {
        if (!Object.hasOwn(entry.columns, name)) throw invalid(`the key's column ${name} is not among the columns`);
      });
    }
    for (const name of Object.keys(entry.keep ?? {})) check(at('keep', name), () => parseRowPath(name));
  }
}
