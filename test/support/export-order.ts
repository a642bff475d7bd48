/** What one `export` command does, from plain JSON: in a process made to be killed, or in this one. */

import { pino } from 'pino';
import { exportTables, type TableResult } from '../../src/export/export-tables.ts';
import { GROUP_LIMITS } from '../../src/export/group-reader.ts';
import { openLake } from '../../src/lake/open.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import type { TableSettings } from '../../src/model/table.ts';
import { Compressor } from '../../src/parquet/compressor.ts';
import { connect } from '../../src/postgres/connect.ts';
import { Source } from '../../src/postgres/source.ts';
import { openState } from '../../src/state/open-state.ts';
import { tableSettings } from './exporter.ts';

export type ExportOrder = {
  url: string;
  /** Where the state lives; by default in the source. */
  stateUrl?: string;
  lake: LakeConfig;
  tables: string[];
  settings?: Partial<TableSettings>;
  full?: boolean;
  leaseMs?: number;
  /** Rows of a row group; each is a file of its own when settings.fileBytes is small. */
  groupRows?: number;
};

export type Step = (name: string) => Promise<void>;

/** Migrates, takes the leases, recovers, exports, releases: the results in the order in which the tables ended. */
export async function exportByOrder(order: ExportOrder, step: Step = async () => {}): Promise<TableResult[]> {
  const log = pino({ level: process.env.TEST_LOG ?? 'silent' }, pino.destination(2));
  const { signal } = new AbortController();
  const { url, leaseMs = 60_000 } = order;
  await using source = new Source({
    connect: (given) => connect({ role: 'source', url }, given),
    max: 1,
    statementTimeoutMs: 120_000,
  });
  await using state = await openState(
    { url: order.stateUrl ?? url, schema: 'tidemark', maxConnections: 1, migrate: 'if-needed' },
    log,
    signal,
  );
  await using lake = await openLake(order.lake);
  const deps = {
    source,
    state,
    lake,
    compressor: () => new Compressor('none'),
    log,
    now: () => performance.now(),
    createdBy: 'tidemark version 0.0.0 (build test)',
    groups: { ...GROUP_LIMITS, rows: order.groupRows ?? GROUP_LIMITS.rows },
    step,
  };
  const tables = order.tables.map((table) => tableSettings(table, { compression: 'none', ...order.settings }));
  const request = { tables, full: order.full ?? false, readers: 1, holder: `test ${process.pid}`, leaseMs };
  const silent = { started() {}, advanced() {}, ended() {} };
  return await exportTables(deps, request, silent, signal);
}
