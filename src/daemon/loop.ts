/**
 * The run loop: begins what is due in its lane, and waits for the next moment. Invariant: it never waits for a piece of work, only for
 * time or for news; all it began has ended when it returns.
 */

import type { Logger } from 'pino';
import { toTidemarkError } from '../model/error.ts';
import type { Agenda, Due, Outcome } from './agenda.ts';
import type { Asked, Board, How, ShownError, Work } from './board.ts';
import type { Clock } from './clock.ts';
import { type Figures, type Lane, NO_FIGURES, type Tell } from './lane.ts';
import { logEnded } from './log-ended.ts';
import type { Services } from './services.ts';

export type LoopDeps = {
  agenda: Agenda;
  board: Board;
  lanes: readonly Lane[];
  services: Services;
  clock: Clock;
  log: Logger;
  shown: (error: unknown) => ShownError;
};

/** A clock that is set, or a machine that slept, is noticed after at most so long. */
const LONGEST_WAIT_MS = 30_000;
/** Work that neither succeeded nor failed, such as what waited behind a server that went away. */
const PUT_OFF_MS = 1_000;
/** The page is told so often how far a piece of work is. */
const SHOW_MS = 1_000;

type Batch = { stop: AbortController; left: Map<string, Due> };

export class Loop {
  readonly #deps: LoopDeps;
  readonly #running = new Map<Lane, Set<Promise<void>>>();
  #woken: () => void = () => {};
  #isWoken = false;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  /** Something may be due now. */
  wake(): void {
    this.#isWoken = true;
    this.#woken();
  }

  ask(work: Work, how?: How): Asked {
    const asked = this.#deps.agenda.ask(work, how);
    if (asked !== 'queued') return asked;
    this.show(work);
    this.wake();
    return asked;
  }

  /** What fails is tried again at once. */
  retryAll(): void {
    for (const work of this.#deps.agenda.retryAll(this.#deps.clock.now())) this.show(work);
    this.wake();
  }

  /** Until the signal; then until everything that it began has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.wake();
    signal.addEventListener('abort', onAbort);
    while (!signal.aborted) {
      this.#isWoken = false;
      for (const lane of this.#deps.lanes) this.#fill(lane, signal);
      if (!this.#isWoken && !signal.aborted) await this.#pause(signal);
    }
    signal.removeEventListener('abort', onAbort);
    await Promise.all([...this.#running.values()].flatMap((batches) => [...batches]));
  }

  /** Brings the page's picture of a piece of work up to date. */
  show(work: Work): void {
    const { agenda, board, shown } = this.#deps;
    const view = agenda.view(work);
    if (!view) return;
    const { failing, nextAt } = view;
    const trouble = failing && { ...failing, error: shown(failing.error) };
    board.set(work, { nextAt, trouble, ...(view.running ? {} : { running: null }) });
  }

  #fill(lane: Lane, signal: AbortSignal): void {
    const { agenda, services, clock } = this.#deps;
    const batches = this.#running.get(lane) ?? new Set();
    this.#running.set(lane, batches);
    while (batches.size < lane.batches() && !services.isAway(lane.needs)) {
      const due = agenda.due(lane.kind, clock.now()).filter((work) => lane.takes?.(work) ?? true);
      if (due.length === 0) return;
      const batch = this.#begin(lane, due.slice(0, lane.most), signal).finally(() => {
        batches.delete(batch);
        this.wake();
      });
      batches.add(batch);
    }
  }

  /** Never throws. */
  async #begin(lane: Lane, works: Due[], signal: AbortSignal): Promise<void> {
    const { agenda, board, services, clock, log } = this.#deps;
    const batch: Batch = { stop: new AbortController(), left: new Map(works.map((work) => [work.name, work])) };
    const now = clock.now();
    for (const work of works) {
      agenda.start(work, now);
      board.set(work, { running: { since: now, rows: 0, bytes: 0 } });
    }
    const stop = () => batch.stop.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await lane.run(works, this.#tell(lane, batch), batch.stop.signal);
    } catch (error) {
      if (!signal.aborted && !services.took(error)) {
        log.debug({ err: error, kind: lane.kind }, 'failed as a whole');
        for (const { name } of [...batch.left.values()]) {
          this.#ended(lane, batch, name, { state: 'failed', error: toTidemarkError(error) }, NO_FIGURES);
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
    for (const work of batch.left.values()) {
      agenda.putOff(work, clock.now(), PUT_OFF_MS);
      this.show(work);
    }
  }

  #tell(lane: Lane, batch: Batch): Tell {
    const { board, clock } = this.#deps;
    const shown = new Map<string, number>();
    return {
      advanced: (name, rows, bytes) => {
        const work = batch.left.get(name);
        const now = clock.now();
        if (!work || now - (shown.get(name) ?? 0) < SHOW_MS) return;
        shown.set(name, now);
        const since = board.work(work)?.running?.since ?? now;
        board.set(work, { running: { since, rows, bytes } });
      },
      ended: (name, outcome, figures) => {
        this.#ended(lane, batch, name, outcome, figures);
        this.wake();
      },
    };
  }

  #ended({ kind }: Lane, batch: Batch, name: string, outcome: Outcome, figures: Figures): void {
    const { agenda, board, services, clock, log, shown } = this.#deps;
    const work = batch.left.get(name);
    if (!work) return;
    if (outcome.state === 'failed' && services.took(outcome.error)) {
      // The others of the batch would meet the same, one after another.
      batch.stop.abort(new DOMException('a server is away', 'AbortError'));
      return;
    }
    batch.left.delete(name);
    agenda.end(work, outcome, clock.now());
    this.show(work);
    const failing = agenda.view(work)?.failing ?? null;
    logEnded(log, { kind, name }, outcome, figures, failing, clock.now());
    const idle = outcome.state === 'nothing' || outcome.state === 'held' || outcome.state === 'skipped';
    // A thousand idle tables would push out what people look for.
    if (idle && work.firedAt !== null) return;
    const { fields: _, ...counts } = figures;
    const error = outcome.state === 'failed' ? shown(outcome.error) : null;
    const ended = outcome.state === 'skipped' ? 'nothing' : outcome.state;
    board.end({ kind, name, at: clock.now(), outcome: ended, ...counts, error });
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { agenda, clock } = this.#deps;
    const now = clock.now();
    const next = agenda.nextAt(now);
    const ms = Math.min(LONGEST_WAIT_MS, next === null ? Infinity : next - now);
    const over = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#woken = resolve;
    });
    if (!signal.aborted) await Promise.race([clock.sleep(ms, over.signal), woken]);
    this.#woken = () => {};
    over.abort();
  }
}
