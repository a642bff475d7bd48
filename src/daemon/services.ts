/**
 * The servers that much of the work needs. Invariant: while one is away nothing that needs it is begun, it alone is asked again and again;
 * it is said once that it is away, and once that it is back.
 */

import type { Logger } from 'pino';
import { type ErrorCode, TidemarkError, toTidemarkError } from '../model/error.ts';
import { askAgainAfter } from './backoff.ts';
import type { Board, ShownError } from './board.ts';
import type { Clock } from './clock.ts';

export type Service = 'source' | 'state' | 'lake';

/** Throws while the service cannot be used. */
export type Probe = (signal: AbortSignal) => Promise<unknown>;

const AWAY: Partial<Record<ErrorCode, Service>> = {
  SOURCE_UNREACHABLE: 'source',
  SOURCE_AUTH: 'source',
  SOURCE_TLS: 'source',
  SOURCE_DATABASE: 'source',
  SOURCE_VERSION: 'source',
  STATE_UNREACHABLE: 'state',
  STATE_AUTH: 'state',
  STATE_TLS: 'state',
  STATE_DATABASE: 'state',
  STATE_READ_ONLY: 'state',
  STATE_NOT_MIGRATED: 'state',
  STATE_NEWER: 'state',
  LAKE_UNREACHABLE: 'lake',
  LAKE_BUCKET_MISSING: 'lake',
};

/** The server that cannot be used when such an error comes; null: it is not about a whole server. */
export function serviceOf(code: ErrorCode): Service | null {
  return AWAY[code] ?? null;
}

/** One that is away again so soon was not really back: the waits go on growing where they were, else it would be said every second. */
const RELAPSE_MS = 120_000;

export class Services {
  readonly #probes: Record<Service, Probe>;
  readonly #tools: {
    board: Board;
    clock: Clock;
    log: Logger;
    shown: (error: unknown) => ShownError;
    random: () => number;
  };
  readonly #away = new Map<Service, { ended: Promise<void> }>();
  readonly #back = new Map<Service, { at: number; times: number }>();
  readonly #signal: AbortSignal;
  readonly #onBack: () => void;

  /** `onBack` is called when one is there again. The signal ends all asking. */
  constructor(
    probes: Record<Service, Probe>,
    tools: { board: Board; clock: Clock; log: Logger; shown: (error: unknown) => ShownError; random: () => number },
    onBack: () => void,
    signal: AbortSignal,
  ) {
    this.#probes = probes;
    this.#tools = tools;
    this.#onBack = onBack;
    this.#signal = signal;
  }

  isAway(services: readonly Service[]): boolean {
    return services.some((service) => this.#away.has(service));
  }

  /** Whether the error says that a server is away; then it is noted, and asked until it is back. */
  took(error: unknown): boolean {
    const known = toTidemarkError(error);
    const service = serviceOf(known.code);
    if (service === null) return false;
    if (this.#away.has(service)) return true;
    const { board, clock, log, shown } = this.#tools;
    // Without the table or file that met it first, which says nothing of a server.
    const bare = new TidemarkError(known.code, known.message, { hint: known.hint });
    board.reach(service, { since: clock.now(), error: shown(bare) });
    log.warn({ service, err: known }, 'away; nothing that needs it is begun until it is back');
    this.#away.set(service, { ended: this.#ask(service) });
    return true;
  }

  /** Resolves once nobody asks any more; after the signal. */
  async ended(): Promise<void> {
    await Promise.all([...this.#away.values()].map(({ ended }) => ended));
  }

  async #ask(service: Service): Promise<void> {
    const { board, clock, log, random } = this.#tools;
    const since = clock.now();
    const before = this.#back.get(service);
    const first = before && since - before.at < RELAPSE_MS ? before.times + 1 : 1;
    for (let times = first; !this.#signal.aborted; times++) {
      await clock.sleep(askAgainAfter(times, random()), this.#signal);
      if (this.#signal.aborted) return;
      try {
        await this.#probes[service](this.#signal);
      } catch (error) {
        const { code } = toTidemarkError(error);
        // Whatever else is wrong, the server answers: the work itself finds out.
        if (code === 'INTERNAL' || serviceOf(code) === service || this.#signal.aborted) continue;
      }
      this.#away.delete(service);
      this.#back.set(service, { at: clock.now(), times });
      board.reach(service, null);
      log.info({ service, seconds: Math.round((clock.now() - since) / 1000) }, 'back');
      this.#onBack();
      return;
    }
  }
}
