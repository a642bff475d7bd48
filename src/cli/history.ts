/** `tidemark history`: the versions of a staged table, newest first, and what each of them did. */

import { commitCounts } from '../compact/commit-counts.ts';
import { type HistoryEntry, history } from '../compact/delta/history.ts';
import { APP_ID } from '../compact/staging.ts';
import { loadConfig } from '../config/load-config.ts';
import { openLake } from '../lake/open.ts';
import { TidemarkError } from '../model/error.ts';
import { formatCount, formatTable } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { CommandContext } from './context.ts';
import { openStateOf } from './open-source.ts';
import { notStaged, stagedTables } from './staged-tables.ts';

export type HistoryOptions = { table: string[]; limit: string };

/** Exit code 0. Throws USAGE, TABLE_*, STATE_*, LAKE_*, STAGED_MISSING, STAGED_BROKEN. */
export async function runHistory({ table, limit }: HistoryOptions, context: CommandContext): Promise<number> {
  const most = limitOf(limit);
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'never');
  const tables = await stagedTables(config, state, { table }, context.signal);
  await using lake = await openLake(config.lake);
  const found: { table: string; entries: HistoryEntry[] }[] = [];
  for (const { name, folder } of tables) {
    const entries: HistoryEntry[] = [];
    for await (const entry of history({ lake, root: `staged/${folder}` }, context.signal)) {
      entries.push(entry);
      if (entries.length >= most) break;
    }
    if (entries.length === 0) throw notStaged(name);
    found.push({ table: displayName(name), entries });
  }
  context.out.json({ tables: found.map(({ table, entries }) => ({ table, versions: entries.map(versionJson) })) });
  print(found, context);
  return 0;
}

function limitOf(typed: string): number {
  if (/^[1-9]\d{0,8}$/.test(typed)) return Number(typed);
  throw new TidemarkError('USAGE', `--limit: ${JSON.stringify(typed)} is no number of versions`, {
    hint: 'write a whole number from 1 on',
  });
}

function versionJson(entry: HistoryEntry) {
  const { inserted, updated, deleted, filesAdded, filesRemoved } = commitCounts(entry);
  return {
    version: entry.version,
    time: entry.timestamp === null ? null : new Date(entry.timestamp).toISOString(),
    operation: entry.operation,
    runs: runsOf(entry),
    through_run: throughRun(entry),
    inserted,
    updated,
    deleted,
    files_added: filesAdded,
    files_removed: filesRemoved,
    bytes_written: entry.bytesAdded,
    engine: entry.engineInfo,
  };
}

/** The last raw run that came with it; null: none did. */
function throughRun({ txns }: HistoryEntry): bigint | null {
  return txns.find(({ appId }) => appId === APP_ID)?.version ?? null;
}

/** The raw runs that it merged, by our own commits. */
function runsOf({ parameters: { runs } }: HistoryEntry): number[] {
  const known = typeof runs === 'string' && /^\[[\d,\s]*\]$/.test(runs);
  return known ? (JSON.parse(runs) as number[]) : [];
}

const HEAD = ['version', 'time', 'runs', 'inserted', 'updated', 'deleted', 'files', 'operation', 'by'];
const RIGHT = [true, false, true, true, true, true, true];

function print(found: { table: string; entries: HistoryEntry[] }[], { out }: CommandContext): void {
  for (const [i, { table, entries }] of found.entries()) {
    if (i > 0) out.line();
    if (found.length > 1) out.line(table);
    const [head, ...lines] = formatTable([HEAD, ...entries.map(cells)], RIGHT);
    out.line(out.style('dim', head));
    for (const line of lines) out.line(line);
  }
}

function cells(entry: HistoryEntry): string[] {
  const { inserted, updated, deleted, filesAdded, filesRemoved } = commitCounts(entry);
  const through = throughRun(entry);
  const first = runsOf(entry)[0] ?? Number(through);
  const runs = through === null ? '-' : first < through ? `${first}-${through}` : String(through);
  const rows = [inserted, updated, deleted].map((count) => (count === null ? '-' : formatCount(count)));
  return [
    String(entry.version),
    entry.timestamp === null ? '-' : new Date(entry.timestamp).toISOString().replace(/T(.*)\.\d+Z/, ' $1+00'),
    runs,
    ...rows,
    `+${formatCount(filesAdded)} -${formatCount(filesRemoved)}`,
    entry.operation ?? '-',
    entry.engineInfo ?? '-',
  ];
}
