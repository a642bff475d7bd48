/** What the pages are made from, gathered once for all who look. Invariant: an overview's number changes when, and only when, its look does. */

import os from 'node:os';
import type { LoadSettings } from '../load/settings.ts';
import type { StatusDeps } from './deps.ts';
import { type Known, KnownTables } from './known-tables.ts';
import { LedgerCounts } from './ledger-counts.ts';
import { look, type Numbered } from './live.ts';
import { overviewOf } from './overview.ts';
import { Samples } from './sample.ts';

export class Views implements Disposable {
  readonly deps: StatusDeps;
  readonly counts: LedgerCounts;
  readonly samples: Samples;
  /** Ends what pages ask for. */
  readonly signal: AbortSignal;
  readonly #closing = new AbortController();
  readonly #known: KnownTables;
  readonly #unsubscribe: () => void;
  #numbered: (Numbered & { look: string }) | null = null;

  /** `changed`: something that the board does not tell looks different now. */
  constructor(deps: StatusDeps, changed: () => void) {
    this.deps = deps;
    this.signal = this.#closing.signal;
    this.#known = new KnownTables(deps.state, deps.clock);
    this.counts = new LedgerCounts(deps.env, changed, this.signal);
    this.samples = new Samples(deps.lake, deps.engine);
    this.#unsubscribe = deps.board.subscribe((event) => {
      if (event.event === 'ended' && event.ended.kind === 'load') this.counts.ended(event.ended.name);
    });
  }

  tables(): Promise<Known> {
    return this.#known.get();
  }

  loads(): readonly LoadSettings[] {
    return this.deps.config().loads;
  }

  async overview(): Promise<Numbered> {
    const { board, clock } = this.deps;
    const { tables } = await this.tables();
    const overview = overviewOf({
      startedAt: board.startedAt,
      tables,
      works: board.works(),
      away: board.away(),
      ended: board.ended(),
      holder: `${os.hostname()} pid ${process.pid}`,
      loads: this.loads().map((load) => ({ name: load.name, counts: this.counts.get(load) })),
      now: clock(),
    });
    const looks = look(overview);
    // From the start's time on: a page that was made before a restart must not take another overview for its own.
    const last = this.#numbered?.seq ?? board.startedAt;
    if (this.#numbered?.look !== looks) this.#numbered = { seq: last + 1, overview, look: looks };
    return this.#numbered;
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#unsubscribe();
  }
}
