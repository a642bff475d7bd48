/** From the file's keys to the program's configuration: defaults, absolute paths, and what one key alone cannot tell. Pure. */

import os from 'node:os';
import path from 'node:path';
import { parseLakeUrl } from '../lake/url.ts';
import { TidemarkError } from '../model/error.ts';
import { isPattern } from '../model/table-pattern.ts';
import { parseDatabaseUrl } from '../postgres/database-url.ts';
import type { Config } from './config.ts';
import { compactAfterOf } from './resolve-tables.ts';
import type { ParsedConfig } from './schema.ts';
import { checkLoads, toLoads } from './to-loads.ts';
import type { Path } from './yaml-text.ts';

const DAY = 86_400_000;

/** `file`: its absolute path. */
export function toConfig(parsed: ParsedConfig, file: string): Config {
  const { source, state = {}, defaults = {}, spool = {} } = parsed;
  const baseDir = path.dirname(file);
  const absolute = (name: string | undefined) => (name === undefined ? null : path.resolve(baseDir, name));
  const isSource = sharesSource(parsed);
  const sourceCa = absolute(source.tls?.ca);
  return {
    file,
    baseDir,
    source: {
      url: source.url,
      caFile: sourceCa,
      auth: source.auth,
      awsRegion: parsed.s3?.region,
      connections: source.connections ?? 2,
      statementTimeoutMs: source.statement_timeout ?? 1_800_000,
      primary: source.primary ?? null,
    },
    state: {
      url: state.url ?? source.url,
      caFile: absolute(state.tls?.ca) ?? (isSource ? sourceCa : null),
      auth: state.auth ?? (isSource ? source.auth : undefined),
      awsRegion: parsed.s3?.region,
      schema: state.schema ?? 'tidemark',
      isSource,
    },
    lake: { url: parsed.lake, baseDir, s3: parsed.s3 },
    spool: {
      path: absolute(spool.path) ?? path.join(os.tmpdir(), `tidemark-${os.userInfo().uid}`),
      limitBytes: spool.limit ?? 4 * 2 ** 30,
    },
    memoryIsFixed: parsed.memory !== undefined,
    memoryBytes: parsed.memory ?? 112 * 2 ** 20,
    defaults: {
      lateMs: defaults.late ?? 3_600_000,
      marginMs: defaults.margin ?? 10_000,
      fileBytes: defaults.file_size ?? 128 * 2 ** 20,
      chunkBytes: defaults.chunk ?? 5 * 2 ** 30,
      readers: defaults.readers ?? 1,
      compression: defaults.compression ?? 'zstd',
      leaseMs: defaults.lease ?? 60_000,
      retentionMs: defaults.retention ?? 7 * DAY,
      merge: defaults.merge ?? 'rewrite',
    },
    tables: parsed.tables ?? [{ table: 'public.*' }],
    loads: toLoads(parsed, baseDir),
    schedule: scheduleOf(parsed),
    status: { ...listenAt(parsed.status?.listen ?? '127.0.0.1:9393'), token: parsed.status?.token || null },
  };
}

/** `[::1]:9393` is host `::1`; `:9393` is every address. */
function listenAt(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '::' : host, port: Number(listen.slice(at + 1)) };
}

const COMPACT_AFTER = { rows: 100_000, ms: null };
const NEVER_AFTER = { rows: null, ms: null };

function scheduleOf({ schedule = {} }: ParsedConfig): Config['schedule'] {
  const { compact_after } = schedule;
  return {
    timezone: schedule.timezone ?? 'UTC',
    export: schedule.export ?? '*/5 * * * *',
    compact: schedule.compact ?? '*/15 * * * *',
    compactAfter: compact_after
      ? compactAfterOf(compact_after)
      : schedule.compact === 'off'
        ? NEVER_AFTER
        : COMPACT_AFTER,
    load: schedule.load ?? '* * * * *',
    vacuum: schedule.vacuum ?? '0 4 * * 0',
    // It reads every key of the table: nobody wants that unasked.
    reconcile: schedule.reconcile ?? 'off',
  };
}

function sharesSource({ source, state }: ParsedConfig): boolean {
  return state?.url === undefined || state.url === source.url;
}

export type Misplaced = { path: Path; message: string; hint?: string };

/** What no single key's form shows. */
export function contradictions(parsed: ParsedConfig, file: string): Misplaced[] {
  const found: Misplaced[] = [];
  const check = (at: Path, run: () => unknown) => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      found.push({ path: at, message: error.message, hint: error.hint });
    }
  };
  check(['source', 'url'], () => parseDatabaseUrl(parsed.source.url, "the source's URL"));
  const { primary } = parsed.source;
  if (primary !== undefined) check(['source', 'primary'], () => parseDatabaseUrl(primary, "the primary's URL"));
  const { url } = parsed.state ?? {};
  if (url !== undefined) check(['state', 'url'], () => parseDatabaseUrl(url, "the state's URL"));
  checkLoads(parsed, path.dirname(file), check);
  check(['lake'], () => parseLakeUrl(parsed.lake, path.dirname(file)));
  if (parsed.source.connections === 1 && sharesSource(parsed)) {
    const message =
      'source.connections must be at least 2 while the state store lives in the source: one reads, one keeps the state';
    found.push({
      path: ['source', 'connections'],
      message,
      hint: 'or give the state a database of its own: state.url',
    });
  }
  for (const [i, { table, as }] of (parsed.tables ?? []).entries()) {
    check(['tables', i, 'table'], () => {
      if (isPattern(table) && as !== undefined) {
        throw new TidemarkError('CONFIG_INVALID', '`as` names one folder, and a pattern stands for many tables', {
          hint: 'give the table an entry of its own, with its `as`',
        });
      }
    });
  }
  return found;
}
