/** doctor's look at what tidemark writes to: state store, lake, spool. Invariant: whatever it tries there is gone afterwards. */

import { access, constants, rmdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { openLake } from '../lake/open.ts';
import { probePutIfAbsent, probeWritable } from '../lake/probe.ts';
import { parseLakeUrl } from '../lake/url.ts';
import { TidemarkError } from '../model/error.ts';
import { connect, disconnect } from '../postgres/connect.ts';
import { openState } from '../state/open-state.ts';
import type { CommandContext } from './context.ts';
import { type Check, failed } from './doctor-check.ts';
import { formatBytes } from './format.ts';
import { quoteName } from './remedy.ts';

const LAKE_MS = 60_000;
const LITTLE_BYTES = 1e9;

export async function checkState(config: Config, context: CommandContext): Promise<Check> {
  const { url, caFile, schema } = config.state;
  const at = { url, caFile, env: context.env };
  const found = (state: Check['state'], text: string, remedy?: string): Check => ({
    group: 'state',
    check: 'state store',
    state,
    found: text,
    remedy,
  });
  const named = `schema "${schema}"${config.state.isSource ? ' in the source' : ''}`;
  try {
    await using _state = await openState(
      { ...at, schema, maxConnections: 1, migrate: 'never' },
      context.log,
      context.signal,
    );
    return found('ok', `in ${named}, up to date`);
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'STATE_NOT_MIGRATED')
      return failed('state', 'state store', error);
  }
  const client = await connect({ role: 'state', ...at }, context.signal);
  try {
    const { rows } = await client.query<{
      user: string;
      database: string;
      there: boolean;
      may: boolean;
      readonly: boolean;
    }>(
      `select current_user as user, current_database() as database, n.oid is not null as there,
        case when n.oid is null then has_database_privilege(current_database(), 'create')
          else has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage') end as may,
        pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as readonly
       from (select) one left join pg_namespace n on n.nspname = $1`,
      [schema],
    );
    const [{ user, database, there, may, readonly }] = rows;
    const role = quoteName(user);
    if (readonly)
      return found(
        'fail',
        `not there yet, and the database takes no writes`,
        'state.url: a database that takes writes',
      );
    if (may) return found('ok', `not there yet (${named}): the first export makes it, or tidemark migrate`);
    const grant = there
      ? `GRANT USAGE, CREATE ON SCHEMA ${quoteName(schema)} TO ${role}`
      : `CREATE SCHEMA ${quoteName(schema)} AUTHORIZATION ${role}, or GRANT CREATE ON DATABASE ${quoteName(database)} TO ${role}`;
    return found('fail', `not there yet (${named}), and ${user} may not make it`, grant);
  } finally {
    await disconnect(client);
  }
}

export async function checkLake(config: Config, context: CommandContext): Promise<Check[]> {
  const address = parseLakeUrl(config.lake.url, config.baseDir);
  const madeHere = address.kind === 'file' && !(await exists(address.root)) ? address.root : null;
  const limit = AbortSignal.any([context.signal, AbortSignal.timeout(LAKE_MS)]);
  const checks: Check[] = [];
  try {
    await using lake = await openLake(config.lake);
    await probeWritable(lake, limit);
    checks.push({
      group: 'lake',
      check: 'writable',
      state: 'ok',
      found: `${lake.url}: written, read, listed, deleted`,
    });
    const kept = (await probePutIfAbsent(lake, limit)) === 'honoured';
    checks.push({
      group: 'lake',
      check: 'put-if-absent',
      state: kept ? 'ok' : 'fail',
      found: kept
        ? 'honoured: nothing is overwritten'
        : 'the server overwrites what must not be: two writers would destroy each other’s files',
      remedy: kept ? undefined : 'use a server that honours If-None-Match: * (AWS S3 does)',
    });
  } catch (error) {
    context.signal.throwIfAborted();
    checks.push(
      failed(
        'lake',
        checks.length === 0 ? 'writable' : 'put-if-absent',
        limit.aborted ? new Error(`no answer within ${LAKE_MS / 1000} s`) : error,
      ),
    );
  }
  if (address.kind === 'file') checks.push(await room('lake', 'room', address.root, LITTLE_BYTES));
  if (madeHere) await unmake(madeHere);
  return checks;
}

/** A lake's folder that only the probe has made: it is empty, or it stays. */
async function unmake(root: string): Promise<void> {
  for (const folder of ['_uploads', '_probe', '.']) await rmdir(path.join(root, folder)).catch(() => {});
}

export async function checkSpool({ spool }: Config): Promise<Check> {
  return room('machine', 'spool', spool.path, spool.limitBytes);
}

/** Free space where the folder is, or will be. */
async function room(group: Check['group'], check: string, folder: string, wanted: number): Promise<Check> {
  try {
    let there = folder;
    while (!(await exists(there))) there = path.dirname(there);
    await access(there, constants.W_OK);
    const { bavail, bsize } = await statfs(there);
    const free = `${folder}: ${formatBytes(bavail * bsize)} free`;
    if (bavail * bsize >= wanted) return { group, check, state: 'ok', found: free };
    const remedy =
      group === 'lake' ? 'free space, or put the lake elsewhere' : 'free space, lower spool.limit, or set spool.path';
    return { group, check, state: 'warn', found: `${free}, less than ${formatBytes(wanted)}`, remedy };
  } catch (error) {
    return {
      ...failed(group, check, error),
      found: `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`,
    };
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
