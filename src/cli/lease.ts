/** `tidemark lease`: who works on what, and taking a table from whoever hangs. */

import { loadConfig } from '../config/load-config.ts';
import { TidemarkError } from '../model/error.ts';
import { formatSeconds, formatTable, toSecond } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { HeldLease } from '../state/held-leases.ts';
import type { LeaseKind } from '../state/run-kinds.ts';
import type { StateStore } from '../state/state-store.ts';
import type { CommandContext } from './context.ts';
import { errorParts, errorText, exitCodeOf } from './error-output.ts';
import { namedTables } from './named-tables.ts';
import { openStateOf } from './open-source.ts';

export type LeaseOptions = { release?: string[]; kind?: LeaseKind; force?: boolean };

/** Exit code 0; 4 when a lease is not released because its holder lives. Throws STATE_*, USAGE, TABLE_UNKNOWN, TABLE_AMBIGUOUS. */
export async function runLease(options: LeaseOptions, context: CommandContext): Promise<number> {
  const { release = [], kind = null, force = false } = options;
  if (release.length === 0 && (kind !== null || force)) {
    throw new TidemarkError('USAGE', '--kind and --force go with --release', {
      hint: 'tidemark lease --release TABLE',
    });
  }
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'never');
  if (release.length > 0) return await takeAway(state, release, kind, force, context);
  const leases = await state.leases(context.signal);
  context.out.json({ leases: leases.map(leaseJson) });
  print(leases, context);
  return 0;
}

async function takeAway(
  state: StateStore,
  names: string[],
  kind: LeaseKind | null,
  force: boolean,
  { out, signal, log, secrets }: CommandContext,
): Promise<number> {
  const { found, unknown } = namedTables(await state.known(signal), names);
  if (unknown.length > 0) {
    throw new TidemarkError('TABLE_UNKNOWN', `no export has met a table ${unknown[0]}`, {
      table: unknown[0],
      hint: 'tidemark lease lists what is held',
    });
  }
  const folders = found.map(({ folder }) => folder);
  const leases = await state.takeAway(folders, kind, force, signal);
  const errors = leases.flatMap((lease) => (lease.released ? [] : [lives(lease)]));
  out.json({
    leases: leases.map((lease) => ({ ...leaseJson(lease), released: lease.released })),
    errors: errors.map((error) => errorParts(error, secrets)),
  });
  for (const { table, kind, holder, since, expired, released } of leases) {
    if (!released) continue;
    const name = displayName(table);
    out.line(`${name}  ${kind}  released: ${holder} had held it since ${toSecond(since)}`);
    if (!expired) log.warn({ table: name, kind, holder }, 'a lease was taken from a process that renewed it');
  }
  for (const error of errors) for (const line of errorText(error, secrets).split('\n')) out.line(line);
  if (leases.length === 0) out.line('nobody holds it');
  return errors.length > 0 ? exitCodeOf(errors[0]) : 0;
}

function lives({ table, kind, holder, expiresAt }: HeldLease): TidemarkError {
  const name = displayName(table);
  return new TidemarkError('LEASE_HELD', `${holder} holds the lease for ${kind} of ${name}, and renews it`, {
    table: name,
    hint: `if that process has died, its lease ends by itself at ${toSecond(expiresAt)}; --force takes it away, and what it is doing comes to nothing`,
  });
}

function leaseJson(lease: HeldLease) {
  return {
    table: displayName(lease.table),
    folder: lease.folder,
    kind: lease.kind,
    holder: lease.holder,
    since: lease.since,
    expires_at: lease.expiresAt,
    expired: lease.expired,
  };
}

function print(leases: HeldLease[], { out }: CommandContext): void {
  if (leases.length === 0) {
    out.line('nobody holds a lease');
    return;
  }
  const rows = leases.map(({ table, kind, holder, since, expiresAt, expired }) => [
    displayName(table),
    kind,
    holder,
    toSecond(since),
    expired
      ? `expired ${formatSeconds((Date.now() - Date.parse(expiresAt)) / 1000)} ago: the next one takes it`
      : toSecond(expiresAt),
  ]);
  const [head, ...lines] = formatTable([['table', 'kind', 'holder', 'since', 'expires'], ...rows]);
  out.line(out.style('dim', head));
  for (const line of lines) out.line(line);
}
