/**
 * The daemon: all of it on a schedule. Invariant: whatever fails, the rest goes on; when it returns, nothing runs any more and no lease is
 * held.
 */

import type { Config } from '../config/config.ts';
import { fixedParts } from '../config/fixed-parts.ts';
import { TidemarkError } from '../model/error.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import { Agenda } from './agenda.ts';
import type { DaemonDeps } from './deps.ts';
import { lanesOf } from './lanes.ts';
import { Loop } from './loop.ts';
import { pastSamples, Sampler } from './sampler.ts';
import { Services } from './services.ts';
import { Waiting } from './waiting.ts';
import { Works } from './works.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

export class Daemon {
  readonly #deps: DaemonDeps;
  readonly #works: Works;
  readonly #loop: Loop;
  readonly #services: Services;
  readonly #sampler: Sampler;
  readonly #stop = new AbortController();
  #config: Config;
  #again = Promise.withResolvers<void>();
  #isNew = false;

  constructor(deps: DaemonDeps) {
    this.#deps = deps;
    this.#config = deps.config;
    const { board, clock, log, shown, source, state, lake, random } = deps;
    const agenda = new Agenda(random);
    const config = () => this.#config;
    const probes = {
      source: (signal: AbortSignal) => source.use((client) => client.query('select 1'), signal),
      state: () => state.marks([]),
      lake: (signal: AbortSignal) => lake.head('raw/.tidemark-there', signal),
    };
    this.#services = new Services(probes, { board, clock, log, shown, random }, () => this.#back(), this.#stop.signal);
    const show = (work: Parameters<Loop['show']>[0]) => this.#loop.show(work);
    const waiting = new Waiting();
    const waits = (table: TableSettings, rows: bigint, at: number) => {
      const name = displayName(table.name);
      const due = waiting.add(name, rows, this.#works.scheduleOf(table).compactAfter, at);
      if (due !== null) agenda.hasten({ kind: 'compact', name }, due);
    };
    this.#works = new Works({ config, source, state, agenda, board, clock, log, shown, waits, show });
    this.#sampler = new Sampler({ board, clock, exportedAt: () => this.#works.exportedAt });
    const lanes = lanesOf(deps, { config, works: this.#works, sampler: this.#sampler, waiting, waits });
    this.#loop = new Loop({ agenda, board, lanes, services: this.#services, clock, log, shown });
    board.answer((work, how) => this.#loop.ask(work, how));
  }

  /** The one in force: a reload changes it. */
  config(): Config {
    return this.#config;
  }

  /** Until the signal; all that was under way has ended then. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    await Promise.all([
      this.#loop.run(this.#stop.signal),
      this.#keepUp(this.#stop.signal),
      this.#recall(this.#stop.signal),
    ]);
    await this.#services.ended();
    this.#deps.board.answer(() => 'unknown');
    signal.removeEventListener('abort', onAbort);
  }

  /** The configuration is read anew; one that is wrong, or needs a restart, is refused with a line in the log, and the old one stays. */
  async reload(): Promise<void> {
    const { log } = this.#deps;
    try {
      const config = await this.#deps.reload();
      const fixed = fixedParts(this.#config, config);
      if (fixed.length > 0) {
        throw new TidemarkError('CONFIG_RESTART', `${fixed.join(', ')} cannot change while the daemon runs`, {
          hint: 'restart it; another one may take over meanwhile',
        });
      }
      this.#config = config;
    } catch (error) {
      log.error({ err: error }, 'the configuration was not reloaded; the old one stays');
      return;
    }
    log.info('configuration reloaded');
    this.#isNew = true;
    this.#again.resolve();
  }

  /** Looks for tables and loads once a minute, and when there is a reason. */
  async #keepUp(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      this.#again = Promise.withResolvers();
      const isNew = this.#isNew;
      this.#isNew = false;
      for (const plan of ['planLoads', 'planTables'] as const) {
        try {
          await this.#works[plan](signal);
        } catch (error) {
          if (signal.aborted) return;
          log.debug({ err: error }, plan);
          if (!this.#services.took(error)) this.#works.complain(error);
        }
        this.#loop.wake();
      }
      // Whoever mends the configuration of a table that fails does not want to wait for an hour.
      if (isNew) this.#loop.retryAll();
      await this.#observe(signal);
      const over = new AbortController();
      const stop = () => this.#again.resolve();
      signal.addEventListener('abort', stop, { once: true });
      await Promise.race([clock.sleep(MINUTE, over.signal), this.#again.promise]);
      signal.removeEventListener('abort', stop);
      over.abort();
    }
  }

  /** What other daemons exported counts too. */
  async #observe(signal: AbortSignal): Promise<void> {
    try {
      for (const { name, folder, exportedAt, paused } of await this.#deps.state.done.lastExports(signal)) {
        const table = displayName(name);
        if (exportedAt === null || this.#works.table(table)?.folder !== folder) continue;
        if (paused) this.#works.exportedAt.delete(table);
        else this.#works.exportedAt.set(table, exportedAt);
      }
      await this.#works.lookAtFailing(signal);
    } catch (error) {
      if (!signal.aborted) this.#services.took(error);
    }
    if (!signal.aborted) this.#sampler.sample();
  }

  /** The charts go on where those of the process before ended. */
  async #recall(signal: AbortSignal): Promise<void> {
    const { state, board, clock, log } = this.#deps;
    try {
      board.recall(pastSamples(await state.done.exportedMinutes(DAY, signal), clock.now()));
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, 'the charts begin anew');
    }
  }

  #back(): void {
    this.#again.resolve();
    this.#loop.wake();
  }
}
