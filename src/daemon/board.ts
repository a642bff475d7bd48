/**
 * What the daemon knows beyond the state store: what runs, what comes next, what fails, and since when. The page, the metrics
 * and `/api/status` read it. Invariant: bounded, and free of secrets; times are milliseconds since 1970.
 */

export type WorkKind = 'export' | 'compact' | 'load' | 'vacuum' | 'reconcile';

/** `name`: the table as displayName() writes it, or the load's name. */
export type Work = { kind: WorkKind; name: string };

/** An error as people see it, secrets taken out. */
export type ShownError = { code: string; message: string; hint: string | null };

/** A table or load that fails: `slow` once it failed so often that it is tried rarely. */
export type Trouble = { times: number; since: number; retryAt: number; slow: boolean; error: ShownError };

export type WorkState = Work & {
  running: { since: number; rows: number; bytes: number } | null;
  /** When it is due next; null: it has no schedule. */
  nextAt: number | null;
  trouble: Trouble | null;
};

/** A piece of work that ended; `run` null where it has no number. */
export type Ended = Work & {
  at: number;
  run: string | null;
  outcome: 'done' | 'nothing' | 'held' | 'failed';
  rows: number;
  lateRows: number;
  bytes: number;
  seconds: number;
  error: ShownError | null;
  /** Why there was nothing to do. */
  reason?: string;
};

/** A server that cannot be reached. */
export type Away = { since: number; error: ShownError };

/** Once a minute: the greatest and the median lag of all tables (null: not known), and what was exported in that minute. */
export type Sample = {
  at: number;
  maxLagSeconds: number | null;
  medianLagSeconds: number | null;
  rows: number;
  bytes: number;
};

export type BoardEvent =
  | { event: 'changed'; work: Work }
  | { event: 'ended'; ended: Ended }
  | { event: 'away'; service: string }
  | { event: 'sample'; sample: Sample };

/** `replay`: of a load, its rejects and dead drops instead of new drops. */
export type How = { replay: boolean };

/** What came of a request to do something now. */
export type Asked = 'queued' | 'running' | 'unknown';

const KEEP_ENDED = 500;
const KEEP_SAMPLES = 24 * 60;

const keyOf = ({ kind, name }: Work) => `${kind} ${name}`;

export class Board {
  readonly startedAt: number;
  readonly #works = new Map<string, WorkState>();
  readonly #away = new Map<string, Away>();
  readonly #listeners = new Set<(event: BoardEvent) => void>();
  #ended: Ended[] = [];
  #samples: Sample[] = [];
  #ask: (work: Work, how: How) => Asked = () => 'unknown';

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  /** In no order; live objects are copied. */
  works(): WorkState[] {
    return [...this.#works.values()].map((state) => ({ ...state }));
  }

  work(work: Work): WorkState | null {
    const state = this.#works.get(keyOf(work));
    return state ? { ...state } : null;
  }

  /** The newest first. */
  ended(): readonly Ended[] {
    return this.#ended;
  }

  /** The oldest first, of a day at most. */
  samples(): readonly Sample[] {
    return this.#samples;
  }

  /** By `source`, `state`, `lake`, or `load <name>`; by `tables` what is wrong with that part of the configuration. */
  away(): ReadonlyMap<string, Away> {
    return this.#away;
  }

  /** Changes what is known of a piece of work; creates it. */
  set(work: Work, change: Partial<Omit<WorkState, keyof Work>>): void {
    const before = this.#works.get(keyOf(work)) ?? { ...work, running: null, nextAt: null, trouble: null };
    this.#works.set(keyOf(work), { ...before, ...change });
    this.#tell({ event: 'changed', work });
  }

  /** It is not configured any more. */
  forget(work: Work): void {
    if (this.#works.delete(keyOf(work))) this.#tell({ event: 'changed', work });
  }

  end(ended: Ended): void {
    this.#ended = [ended, ...this.#ended].slice(0, KEEP_ENDED);
    this.#tell({ event: 'ended', ended });
  }

  /** `away` null: it is there again. What is away already is away for as long as before. */
  reach(service: string, away: Away | null): void {
    if (away) this.#away.set(service, { ...away, since: this.#away.get(service)?.since ?? away.since });
    else if (!this.#away.delete(service)) return;
    this.#tell({ event: 'away', service });
  }

  sample(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length > KEEP_SAMPLES) this.#samples = this.#samples.slice(-KEEP_SAMPLES);
    this.#tell({ event: 'sample', sample });
  }

  /** Samples of the time before this process, the oldest first. */
  recall(samples: readonly Sample[]): void {
    this.#samples = [...samples, ...this.#samples].slice(-KEEP_SAMPLES);
  }

  /** Who does what is asked for; the daemon's loop. */
  answer(ask: (work: Work, how: How) => Asked): void {
    this.#ask = ask;
  }

  /** Asks for a piece of work to be done now, its retry wait cut short. */
  ask(work: Work, how: How = { replay: false }): Asked {
    return this.#ask(work, how);
  }

  /** Returns what ends it. A listener must not throw. */
  subscribe(listener: (event: BoardEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(event: BoardEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
