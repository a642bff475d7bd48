/**
 * Lends places for connections to the source, so that all processes of a state store together keep to `connections`.
 * Invariant: a place is renewed from the moment it was taken until it is given back, which is after its connection was closed.
 */

import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { TidemarkError } from '../model/error.ts';
import type { Place, Places } from '../postgres/connection-pool.ts';
import type { SlotHolder } from './source-slots.ts';
import type { StateStore } from './state-store.ts';

/** Places are renewed at least this often, for it is then that a holder hears who waits. In milliseconds. */
const BEAT_MS = 5_000;

/** `patienceMs`: as Places has it. */
export type PlacesOptions = { source: string; most: number; holder: string; ttlMs: number; patienceMs: number | null };

export class SourcePlaces implements Places {
  readonly #state: Pick<StateStore, 'takeSlot' | 'renewSlots' | 'giveSlots'>;
  readonly #options: PlacesOptions;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  readonly #held = new Map<string, { lost: boolean }>();
  #timer: NodeJS.Timeout | undefined;
  #giving: { claims: string[]; done: Promise<void> } | null = null;
  #told = false;
  /** As of the last renewal, until one place is given back. */
  #wanted = false;
  #holders: SlotHolder[] = [];

  constructor(
    state: Pick<StateStore, 'takeSlot' | 'renewSlots' | 'giveSlots'>,
    options: PlacesOptions,
    log: Pick<Logger, 'info' | 'warn'>,
  ) {
    this.#state = state;
    this.#options = options;
    this.#log = log;
  }

  get #beatMs(): number {
    return Math.min(BEAT_MS, this.#options.ttlMs / 3);
  }

  get patienceMs(): number | null {
    return this.#options.patienceMs;
  }

  refused(): TidemarkError {
    return new TidemarkError('CONNECTIONS_HELD', `other processes have all connections: ${this.#who()}`, {
      hint: 'the next run tries again; raise source.connections where several processes are to read at the same time',
    });
  }

  #who(): string {
    return this.#holders.map(({ holder, slots }) => `${holder} holds ${slots} of ${this.#options.most}`).join(', ');
  }

  async take(signal: AbortSignal): Promise<Place | null> {
    const claim = randomUUID();
    const holders = await this.#state.takeSlot({ ...this.#options, id: claim, urgent: this.#held.size === 0 }, signal);
    if (holders) {
      this.#holders = holders;
      this.#tell();
      return null;
    }
    this.#told = false;
    const held = { lost: false };
    const isWanted = () => this.#wanted;
    this.#held.set(claim, held);
    this.#timer ??= setTimeout(() => this.#beat(), this.#beatMs);
    return {
      get lost() {
        return held.lost;
      },
      get wanted() {
        return isWanted();
      },
      give: () => this.#give(claim),
    };
  }

  /** Once, and not at all where this process has another connection to go on with. */
  #tell(): void {
    if (this.#told || this.#held.size > 0) return;
    this.#told = true;
    this.#log.info({ source: this.#options.source }, `waiting for a connection: ${this.#who()}`);
  }

  async #beat(): Promise<void> {
    try {
      const { lost, wanted } = await this.#state.renewSlots([...this.#held.keys()], this.#options.ttlMs);
      this.#wanted = wanted;
      for (const claim of lost) {
        const held = this.#held.get(claim);
        if (!held || held.lost) continue;
        held.lost = true;
        this.#log.warn(
          { source: this.#options.source },
          'a place for a connection was lost: this process stood still for longer than `lease`',
        );
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'places for connections could not be renewed');
    }
    this.#timer = this.#held.size > 0 ? setTimeout(() => this.#beat(), this.#beatMs) : undefined;
  }

  /** What is given back at the same time goes together. */
  #give(claim: string): Promise<void> {
    this.#held.delete(claim);
    this.#wanted = false;
    if (this.#held.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#giving ??= this.#giveSoon();
    this.#giving.claims.push(claim);
    return this.#giving.done;
  }

  #giveSoon() {
    const claims: string[] = [];
    const done = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      this.#giving = null;
      // Not given back, they expire.
      await this.#state
        .giveSlots(claims)
        .catch((error) => this.#log.warn({ err: error }, 'places for connections could not be given back'));
    });
    return { claims, done };
  }
}
