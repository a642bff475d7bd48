/**
 * The first page, live: what changed goes to all who look, at most once a second. Invariants: the overview is made once for all of
 * them and only while somebody looks; who reads too slowly gets the newest state, never a queue.
 */

import type { Board, Sample } from '../daemon/board.ts';
import { sampleJson } from './api-status.ts';
import { headline } from './headline.ts';
import type { Overview, TableLine } from './overview.ts';
import { headHtml, idOf, loadsHtml, runsHtml, tableHtml } from './overview-page.ts';

const BATCH_MS = 1_000;
/** What other processes did shows after so long. */
const QUIET_MS = 10_000;
const BEAT_MS = 15_000;

/** An overview and its number; equal numbers look the same. */
export type Numbered = { seq: number; overview: Overview };

/** What goes to a browser: HTML by the ids of what it replaces. */
type Update = {
  seq: number;
  now: number;
  title?: string;
  parts: Record<string, string>;
  lines: Record<string, string>;
  /** All lines, in their order. */
  order?: string[];
};

export type Viewer = {
  /** Resolves when there is room for more. */
  send(event: { event: string; data: string; id?: string }): Promise<void>;
};

type Seat = { viewer: Viewer; seq: number; busy: boolean; samples: Sample[] };

export class Live {
  readonly #overview: () => Promise<Numbered>;
  readonly #clock: () => number;
  readonly #seats = new Set<Seat>();
  readonly #unsubscribe: () => void;
  #last: Numbered | null = null;
  #dirty = false;
  #timer: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #lastAt = 0;
  #working = false;
  #closed = false;

  constructor(board: Board, overview: () => Promise<Numbered>, clock: () => number) {
    this.#overview = overview;
    this.#clock = clock;
    this.#unsubscribe = board.subscribe((event) => {
      if (event.event === 'sample') this.#sample(event.sample);
      this.changed();
    });
  }

  /** Something may look different now. */
  changed(): void {
    this.#dirty = true;
  }

  /** `seq`: what the viewer shows now. Returns what ends it. */
  join(viewer: Viewer, seq: number): () => void {
    const seat: Seat = { viewer, seq, busy: false, samples: [] };
    this.#seats.add(seat);
    this.#dirty = true;
    if (!this.#closed) {
      this.#timer ??= setInterval(() => void this.#turn(), BATCH_MS);
      this.#beat ??= setInterval(() => this.#beatAll(), BEAT_MS);
    }
    void this.#turn();
    return () => {
      this.#seats.delete(seat);
      if (this.#seats.size === 0) this.#stop();
    };
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#stop();
    this.#seats.clear();
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearInterval(this.#beat);
    this.#timer = undefined;
    this.#beat = undefined;
    // Without anybody who has seen it there is nothing to compare with.
    this.#last = null;
  }

  #sample(sample: Sample): void {
    for (const seat of this.#seats) {
      seat.samples.push(sample);
      if (seat.samples.length > 60) seat.samples.shift();
    }
  }

  async #turn(): Promise<void> {
    const due = this.#dirty || performance.now() - this.#lastAt > QUIET_MS;
    if (this.#working || !due || this.#seats.size === 0) return;
    this.#working = true;
    this.#dirty = false;
    this.#lastAt = performance.now();
    try {
      const before = this.#last;
      const next = await this.#overview();
      this.#last = next;
      const now = this.#clock();
      // Most are where the last update left them: one text for all of these.
      let same: string | undefined;
      let whole: string | undefined;
      for (const seat of this.#seats) {
        this.#sendSamples(seat);
        if (seat.seq === next.seq) continue;
        if (seat.busy) {
          this.#dirty = true;
        } else if (before !== null && seat.seq === before.seq) {
          same ??= JSON.stringify(update(before.overview, next, now));
          this.#send(seat, next.seq, same);
        } else {
          whole ??= JSON.stringify(update(null, next, now));
          this.#send(seat, next.seq, whole);
        }
      }
    } finally {
      this.#working = false;
    }
  }

  #send(seat: Seat, seq: number, data: string): void {
    seat.seq = seq;
    this.#write(seat, { event: 'update', data, id: String(seq) });
  }

  #sendSamples(seat: Seat): void {
    if (seat.samples.length === 0 || seat.busy) return;
    this.#write(seat, { event: 'samples', data: JSON.stringify(seat.samples.splice(0).map(sampleJson)) });
  }

  #beatAll(): void {
    for (const seat of this.#seats) if (!seat.busy) this.#write(seat, { event: 'beat', data: String(this.#clock()) });
  }

  #write(seat: Seat, event: { event: string; data: string; id?: string }): void {
    seat.busy = true;
    seat.viewer.send(event).then(
      () => {
        seat.busy = false;
      },
      () => void this.#seats.delete(seat),
    );
  }
}

/** From what is seen to what is now; `before` null: everything. */
export function update(before: Overview | null, { seq, overview }: Numbered, now: number): Update {
  const parts: Record<string, string> = {};
  const part = (id: string, of: (each: Overview) => unknown, render: () => { text: string }) => {
    if (before === null || look(of(before)) !== look(of(overview))) parts[id] = render().text;
  };
  part('head', headOf, () => headHtml(overview, now));
  part(
    'load-lines',
    ({ loads }) => loads,
    () => loadsHtml(overview, now),
  );
  part(
    'run-lines',
    ({ runs }) => runs,
    () => runsHtml(overview, now),
  );
  const seen = new Map((before?.tables ?? []).map((line) => [idOf(line), look(line)]));
  const lines: Record<string, string> = {};
  for (const line of overview.tables) {
    if (seen.get(idOf(line)) !== look(line)) lines[idOf(line)] = tableHtml(line, now).text;
  }
  const order = overview.tables.map(idOf);
  const moved = before === null || look(before.tables.map(idOf)) !== look(order);
  return { seq, now, title: headline(overview).title, parts, lines, ...(moved && { order }) };
}

function headOf({ away, known, startedAt, tables, loads }: Overview) {
  const small = ({ rank, running }: Pick<TableLine, 'rank' | 'running'>) => [rank, running.length];
  const oldest = tables.reduce((least, { seenAt }) => Math.min(least, seenAt ?? least), Number.MAX_SAFE_INTEGER);
  return [away, known, startedAt, oldest, tables.map(small), loads.map(small)];
}

/** Equal for what looks the same. */
export function look(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each));
}
