/**
 * What there is to do, after the configuration and the source's catalog. Invariant: what cannot be found out now stays as it was; a table
 * that is new or gone is noticed within a minute.
 */

import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { fittingTables } from '../config/fitting-tables.ts';
import type { LoadSettings } from '../load/settings.ts';
import { displayName, type TableSchedule, type TableSettings } from '../model/table.ts';
import { requireVersion } from '../postgres/connect.ts';
import type { Source } from '../postgres/source.ts';
import { listTables } from '../postgres/tables.ts';
import type { StateStore } from '../state/state-store.ts';
import type { Agenda, Planned } from './agenda.ts';
import type { Board, ShownError, WorkKind } from './board.ts';
import type { Clock } from './clock.ts';
import { parseSchedule, type Schedule } from './cron.ts';
import { jittered } from './jitter.ts';

export type WorksDeps = {
  config: () => Config;
  source: Source;
  state: StateStore;
  agenda: Agenda;
  board: Board;
  clock: Clock;
  log: Logger;
  shown: (error: unknown) => ShownError;
  /** Rows that were exported at `at` wait for a compaction. */
  waits: (table: TableSettings, rows: bigint, at: number) => void;
  /** A work's place on the page is to be brought up to date. */
  show: (work: { kind: WorkKind; name: string }) => void;
};

export class Works {
  readonly #deps: WorksDeps;
  #tables: Map<string, TableSettings> | null = null;
  #loads = new Map<string, LoadSettings>();
  /** Milliseconds since 1970; of tables that were exported. */
  readonly exportedAt = new Map<string, number>();
  #complained = '';

  constructor(deps: WorksDeps) {
    this.#deps = deps;
  }

  table(name: string): TableSettings | null {
    return this.#tables?.get(name) ?? null;
  }

  tables(): IterableIterator<string> {
    return (this.#tables ?? new Map<string, TableSettings>()).keys();
  }

  load(name: string): LoadSettings | null {
    return this.#loads.get(name) ?? null;
  }

  scheduleOf(table: TableSettings): TableSchedule {
    const schedule = { ...this.#deps.config().schedule, ...table.schedule };
    // Who turns compactions off means those that follow exports too, unless he says when they do.
    if (table.schedule?.compact === 'off' && !table.schedule.compactAfter)
      schedule.compactAfter = { rows: null, ms: null };
    return schedule;
  }

  /** The loads of the configuration. Throws what the state store throws. */
  async planLoads(signal: AbortSignal): Promise<void> {
    const { config, state, clock } = this.#deps;
    const { loads, schedule } = config();
    const last = loads.length > 0 ? await state.done.lastWork('load', signal) : new Map<string, number>();
    this.#loads = new Map(loads.map((load) => [load.name, load]));
    const planned = loads.map((load) => ({
      name: load.name,
      schedule: this.#schedule('load', load.schedule ?? schedule.load, load.name),
      lastAt: last.get(load.name) ?? null,
    }));
    this.#plan('load', planned, clock.now());
  }

  /** The tables that the source has now. Throws what source and state store throw. */
  async planTables(signal: AbortSignal): Promise<void> {
    const { source, config, log } = this.#deps;
    const { state } = config();
    source.forget();
    const list = (client: Parameters<Parameters<Source['use']>[0]>[0]) =>
      requireVersion(client).then(() => listTables(client, state.isSource ? state.schema : null));
    // Behind a table that takes hours it would wait as long; what is known already is good enough.
    const known = this.#tables ? await source.useIfFree(list, signal) : await source.use(list, signal);
    if (known === null) return;
    const { tables, unfit } = fittingTables(config(), known);
    this.#complain(unfit[0]?.error ?? null);
    const before = this.#tables;
    const names = new Map(tables.map((table) => [displayName(table.name), table]));
    const added = [...names.keys()].filter((name) => !before?.has(name));
    const seeds = added.length > 0 ? await this.#seeds(added, names, signal) : null;
    this.#tables = names;
    if (!before) log.info({ tables: names.size }, 'tables found');
    else for (const table of added) log.info({ table }, 'a new table');
    for (const table of before?.keys() ?? []) if (!names.has(table)) log.info({ table }, 'the table is gone');
    this.#planKinds(names, seeds);
    for (const [name, { rows, since }] of seeds?.waiting ?? []) this.#deps.waits(names.get(name)!, rows, since);
  }

  /** Reconciliations that failed here, and that somebody has done by hand since. Throws what the state store throws. */
  async lookAtFailing(signal: AbortSignal): Promise<void> {
    const { agenda, state, show } = this.#deps;
    const failing = agenda.works().filter((work) => work.kind === 'reconcile' && agenda.view(work)?.failing);
    if (failing.length === 0) return;
    const last = await state.done.lastWork('reconcile', signal);
    for (const work of failing) if (agenda.doneElsewhere(work, last.get(work.name) ?? 0)) show(work);
  }

  /** Something is wrong with `tables:`; said once. */
  complain(error: unknown): void {
    this.#complain(error);
  }

  #complain(error: unknown): void {
    const { board, clock, log, shown } = this.#deps;
    const text = error === null ? '' : shown(error).message;
    if (text === this.#complained) return;
    this.#complained = text;
    board.reach('tables', error === null ? null : { since: clock.now(), error: shown(error) });
    if (error !== null) log.error({ err: error }, 'the tables of the configuration');
  }

  #planKinds(names: Map<string, TableSettings>, seeds: Seeds | null): void {
    const now = this.#deps.clock.now();
    const of = (kind: 'export' | 'compact' | 'vacuum' | 'reconcile', last: (name: string) => number | null) =>
      [...names].map(([name, table]) => ({
        name,
        schedule: this.#schedule(kind, this.scheduleOf(table)[kind], name),
        lastAt: last(name),
      }));
    this.#plan(
      'export',
      of('export', (name) => this.exportedAt.get(name) ?? null),
      now,
    );
    const compacted = (name: string) => {
      const waits = seeds?.compact.get(name);
      return waits === undefined ? now : waits;
    };
    this.#plan('compact', of('compact', compacted), now);
    this.#plan(
      'vacuum',
      of('vacuum', (name) => seeds?.vacuum.get(name) ?? now),
      now,
    );
    this.#plan(
      'reconcile',
      of('reconcile', (name) => seeds?.reconcile.get(name) ?? now),
      now,
    );
  }

  #plan(kind: WorkKind, planned: Planned[], now: number): void {
    const { agenda, board, show } = this.#deps;
    for (const work of agenda.plan(kind, planned, now)) {
      board.forget(work);
      if (kind === 'load') board.reach(`load ${work.name}`, null);
      if (kind === 'export') this.exportedAt.delete(work.name);
    }
    for (const { name } of planned) show({ kind, name });
  }

  readonly #schedules = new Map<string, Schedule | null>();

  /** Parsed once for each expression and delay. */
  #schedule(kind: WorkKind, expression: string, name: string): Schedule | null {
    const { config, clock } = this.#deps;
    const { timezone } = config().schedule;
    const key = `${timezone}\n${expression}`;
    let schedule = this.#schedules.get(key);
    if (schedule === undefined) {
      if (this.#schedules.size > 100) this.#schedules.clear();
      schedule = parseSchedule(expression, timezone);
      this.#schedules.set(key, schedule);
    }
    return schedule && jittered(schedule, `${kind} ${name}`, clock.now());
  }

  /** When the work on tables that are new here was last done. */
  async #seeds(added: string[], names: Map<string, TableSettings>, signal: AbortSignal): Promise<Seeds> {
    const { state } = this.#deps;
    const exported = new Set<string>();
    for (const { name, folder, exportedAt } of await state.done.lastExports(signal)) {
      const table = displayName(name);
      if (exportedAt === null || names.get(table)?.folder !== folder) continue;
      exported.add(table);
      this.exportedAt.set(table, exportedAt);
    }
    const there = added.filter((name) => exported.has(name));
    const staged = await state.stagedOf(
      there.map((name) => names.get(name)!.folder),
      signal,
    );
    const compact = new Map<string, number | null>();
    const waiting: Seeds['waiting'] = new Map();
    for (const name of there) {
      const status = staged.get(names.get(name)!.folder);
      if (status?.version == null) compact.set(name, null);
      else if (status.waiting.runs > 0n && status.waiting.since) {
        const since = Date.parse(status.waiting.since);
        compact.set(name, since);
        waiting.set(name, { rows: status.waiting.rows, since });
      }
    }
    const vacuum = await state.done.lastWork('vacuum', signal);
    // Counted from now on: whoever first starts a daemon does not want all of it looked through at once.
    const never = added.filter((name) => !vacuum.has(name));
    if (never.length > 0) await state.done.noteWork('vacuum', never, signal);
    return { compact, vacuum, reconcile: await this.#reconciled(added, names, signal), waiting };
  }

  /** When tables were last reconciled, or from when on their schedule counts. */
  async #reconciled(
    added: string[],
    names: Map<string, TableSettings>,
    signal: AbortSignal,
  ): Promise<Map<string, number>> {
    const { state } = this.#deps;
    const wanted = added.filter((name) => this.scheduleOf(names.get(name)!).reconcile !== 'off');
    if (wanted.length === 0) return new Map();
    const [done, from] = [
      await state.done.lastWork('reconcile', signal),
      await state.done.lastWork('reconcile_from', signal),
    ];
    const never = wanted.filter((name) => !done.has(name) && !from.has(name));
    if (never.length > 0) await state.done.noteWork('reconcile_from', never, signal);
    return new Map([...from, ...done]);
  }
}

/** Milliseconds since 1970. `compact`: since when rows wait, null: never compacted; missing: nothing waits. */
type Seeds = {
  compact: Map<string, number | null>;
  vacuum: Map<string, number>;
  reconcile: Map<string, number>;
  waiting: Map<string, { rows: bigint; since: number }>;
};
