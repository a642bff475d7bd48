/**
 * `tidemark doctor`: looks at everything an export needs and says how to mend what is missing. Invariant: it changes
 * nothing; what it tries on the lake it removes.
 */

import path from 'node:path';
import type pg from 'pg';
import type { Config } from '../config/config.ts';
import { fittingTables } from '../config/fitting-tables.ts';
import { loadConfig } from '../config/load-config.ts';
import { redact } from '../config/redact.ts';
import { displayName } from '../model/table.ts';
import { briefLook } from '../postgres/brief-look.ts';
import { cursorFacts } from '../postgres/cursor-facts.ts';
import { betterKnown } from '../postgres/relation-kind.ts';
import { listTables } from '../postgres/tables.ts';
import type { CommandContext } from './context.ts';
import { type Check, failed } from './doctor-check.ts';
import { checkLake } from './doctor-places.ts';
import { checkSource } from './doctor-source.ts';
import { checkSpool } from './doctor-spool.ts';
import { checkStandby } from './doctor-standby.ts';
import { checkState } from './doctor-state.ts';
import { checkTables, cursorOf, nullShares } from './doctor-tables.ts';

const STYLES = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

/** Exit code 0: all well, or warnings only; 3: a check failed. Throws CONFIG_*, ENV_MISSING: without a configuration there is nothing to check. */
export async function runDoctor(_options: object, context: CommandContext): Promise<number> {
  const config = await loadConfig(context);
  const shown = path.relative(context.cwd, config.file) || config.file;
  const file: Check = { group: 'configuration', check: 'file', state: 'ok', found: shown };
  const checks = [
    file,
    ...(await guarded('source', 'connection', context, () => sourceAndTables(config, context))),
    ...(await guarded('state', 'state store', context, () => checkState(config, context))),
    ...(await checkLake(config, context)),
    await checkSpool(config),
  ].map((check) => cleaned(check, context.secrets));
  print(checks, context);
  return checks.some(({ state }) => state === 'fail') ? 3 : 0;
}

/** What is thrown is a failed check; the others go on. */
async function guarded(
  group: Check['group'],
  check: string,
  { signal }: CommandContext,
  run: () => Promise<Check[]>,
): Promise<Check[]> {
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    return [failed(group, check, error)];
  }
}

async function sourceAndTables(config: Config, context: CommandContext): Promise<Check[]> {
  const look = async (client: pg.Client) => [
    ...(await checkSource(client, config.state.isSource, () => Date.now() / 1000)),
    ...(await guarded('source', 'standby', context, () => checkStandby(client, config, context))),
    ...(await guarded('tables', 'tables', context, () => tables(client, config))),
  ];
  return briefLook({ role: 'source', ...config.source, env: context.env }, look, context.signal);
}

async function tables(client: pg.Client, config: Config): Promise<Check[]> {
  const known = await listTables(client, config.state.isSource ? config.state.schema : null);
  const byName = new Map(known.map((table) => [displayName(table.name), table]));
  const { tables, unfit } = fittingTables(config, known);
  const bad: Check[] = [];
  for (const { error } of unfit) bad.push(failed('tables', 'tables', await betterKnown(client, error)));
  const meant = tables.map((settings) => ({
    settings,
    table: byName.get(displayName(settings.name))!,
  }));
  const wanted = meant.map((one) => ({ name: one.table.name, column: cursorOf(one) }));
  const facts = await cursorFacts(client, wanted);
  const checked = meant.map((one, i) => ({ ...one, facts: facts[i] }));
  if (checked.length === 0 && bad.length > 0) return bad;
  if (checked.length === 0) {
    return [
      { group: 'tables', check: 'tables', state: 'warn', found: 'none to export', remedy: 'tables: in tidemark.yaml' },
    ];
  }
  const { rows } = await client.query<{ role: string }>('select current_user as role');
  return [...bad, ...checkTables(checked, rows[0].role, await nullShares(client, checked))];
}

function cleaned(check: Check, secrets: readonly string[]): Check {
  return { ...check, found: redact(check.found, secrets), remedy: check.remedy && redact(check.remedy, secrets) };
}

function print(checks: Check[], { out }: CommandContext): void {
  out.json({
    checks: checks.map(({ check, state, found, remedy, table }) => ({
      check,
      state,
      found,
      remedy: remedy ?? null,
      table,
    })),
  });
  const width = Math.max(...checks.map(({ check }) => check.length));
  let group = '';
  for (const check of checks) {
    if (check.group !== group) out.line(`${group === '' ? '' : '\n'}${out.style('bold', check.group)}`);
    group = check.group;
    out.line(
      `  ${out.style(STYLES[check.state], check.state.padEnd(4))}  ${check.check.padEnd(width)}  ${check.found}`,
    );
    if (check.remedy) out.line(`  ${' '.repeat(6 + width)}  ${out.style('dim', '→')} ${check.remedy}`);
  }
  const count = (state: Check['state']) => checks.filter((check) => check.state === state).length;
  const [failures, warnings] = [count('fail'), count('warn')];
  out.line();
  if (failures > 0) out.line(`${failures} failed, ${warnings} to look at`);
  else out.line(warnings > 0 ? `an export will work; ${warnings} to look at` : 'all well');
}
