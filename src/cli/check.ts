/** `tidemark status --check`: only what is wrong, for cron and monitors. Invariant: it says so too when it cannot see. */

import type { Config } from '../config/config.ts';
import { exportedTables } from '../config/exported-tables.ts';
import { TidemarkError } from '../model/error.ts';
import { formatCount, formatSeconds } from '../model/format.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { StateStore } from '../state/state-store.ts';
import { lagSeconds } from '../status/status-json.ts';
import type { CommandContext } from './context.ts';
import { meantTables, openSource } from './open-source.ts';
import { type Problem, problemLine, problemsOf, sourceProblem } from './status-check.ts';
import { loadProblems } from './status-loads.ts';

const MAX_LAG_MS = 15 * 60_000;

/**
 * Exit code 0, or 1 when a configured table is late, fails, or was never exported, or a load fails or has dead drops. Paused tables are none
 * of these. With `table` loads are not looked at.
 */
export async function runCheck(
  config: Config,
  state: StateStore,
  { table, maxLagMs = MAX_LAG_MS }: { table?: string[]; maxLagMs?: number },
  context: CommandContext,
): Promise<number> {
  const { out, quiet, env, signal } = context;
  const loads = table?.length ? [] : config.loads;
  const [{ tables, problems }, ofLoads] = await Promise.all([
    configuredTables(config, state, { table }, context),
    loadProblems(loads, env, signal),
  ]);
  signal.throwIfAborted();
  const byFolder = new Map((await state.status()).map((status) => [status.folder, status]));
  const now = Date.now();
  const all = tables.map(({ name, folder }) => ({ name, status: byFolder.get(folder) }));
  const found = [
    ...problems,
    ...all.flatMap(({ name, status }) => problemsOf(name, status, maxLagMs, now)),
    ...ofLoads,
  ];
  const lag = Math.max(0, ...all.map(({ status }) => (status && !status.paused && lagSeconds(status, now)) || 0));
  const paused = all.filter(({ status }) => status?.paused).map(({ name }) => displayName(name));
  out.json({
    ok: found.length === 0,
    max_lag_seconds: maxLagMs / 1000,
    lag_seconds: Math.round(lag * 10) / 10,
    tables: all.length,
    loads: loads.length,
    paused,
    problems: found,
  });
  for (const problem of found) out.line(problemLine(problem));
  if (found.length === 0 && !quiet) {
    const held = paused.length > 0 ? `, ${formatCount(paused.length)} of them paused` : '';
    const ofTables = `${counted(all.length, 'table')}${held}, at most ${formatSeconds(lag)} behind`;
    out.line(`ok: ${[ofTables, ...(loads.length > 0 ? [counted(loads.length, 'load')] : [])].join('; ')}`);
  }
  return found.length > 0 ? 1 : 0;
}

const counted = (count: number, what: string) => `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;

/** As the source has them. When it cannot be asked, which is a problem of its own, those that were exported. */
async function configuredTables(
  config: Config,
  state: StateStore,
  wanted: { table?: string[] },
  context: CommandContext,
): Promise<{ tables: { name: TableName; folder: string }[]; problems: Problem[] }> {
  try {
    await using source = openSource(config, context, null);
    const { tables, unfit } = await meantTables(config, source, wanted, context.signal);
    return { tables, problems: unfit.map(({ error }) => sourceProblem(error)) };
  } catch (error) {
    const away = error instanceof TidemarkError && error.code.startsWith('SOURCE_');
    if (!away) throw error;
    const tables = exportedTables(config, await state.exported(context.signal), wanted.table);
    return { tables, problems: [sourceProblem(error)] };
  }
}
