/** An export of two tables in the world of mark-world.ts, step by step, by the project's own rules for the mark. */

import { CarriedIds } from '../../src/export/carried-ids.ts';
import { type Choice, chooseRows } from '../../src/export/choose-rows.ts';
import { nextMark } from '../../src/export/next-mark.ts';
import { complement, contains, rangesOf } from '../../src/model/id-ranges.ts';
import type { Mark } from '../../src/model/mark.ts';
import { coveredValue } from '../../src/model/trail.ts';
import type { Look } from '../../src/postgres/look.ts';
import { TABLES, type Version, type World, type WorldSnapshot } from './mark-world.ts';

/** A rule left out, to see what it is there for. */
export type Weakness =
  | 'none'
  | 'watermark alone'
  | 'no query_start'
  | 'prepared ignored'
  | 'prepared before activity'
  | 'activity after the snapshot'
  | 'seen set forgotten'
  | 'subtransactions called finished'
  | 'no cut to the second'
  | 'counted by ids'
  | 'partitions ignored';

type Phase = 'clock' | 'activity' | 'prepared' | 'finished' | 'snapshot' | 'copied';

const HISTORY = { system: 's', timeline: 1, lsn: null, xmax: 0n };

export class ModelExporter {
  readonly #world: World;
  readonly #weakness: Weakness;
  readonly marks: (Mark | null)[] = [null, null];
  /** (xmax, watermark) of each run: what 'counted by ids' goes by. */
  readonly #runs: { xmax: bigint; watermark: bigint }[][] = [[], []];
  /** How often each version was exported, by its number. */
  readonly #exported = new Map<number, number>();
  #phase: Phase = 'clock';
  #table = 0;
  #look: Look = { clock: 0n, oldestStart: null, hidden: 0, prepared: [], finished: [], history: HISTORY };
  #snapshot: WorldSnapshot | null = null;

  readonly #readsSequence: boolean;
  /** As read with the snapshot. */
  #sequence = 0n;

  constructor(world: World, weakness: Weakness, readsSequence = false) {
    this.#readsSequence = readsSequence;
    this.#world = world;
    this.#weakness = weakness;
  }

  /** One statement of a run. */
  step(): void {
    const look = this.#look;
    switch (this.#phase) {
      case 'clock':
        look.clock = this.#world.clock;
        look.hidden = this.#world.hidden ? 1 : 0;
        this.#phase = 'activity';
        if (this.#weakness === 'prepared before activity') look.prepared = this.#world.prepared();
        break;
      case 'activity':
        look.oldestStart = this.#world.oldestStart(this.#weakness !== 'no query_start');
        this.#phase = 'prepared';
        break;
      case 'prepared':
        if (this.#weakness !== 'prepared before activity') look.prepared = this.#world.prepared();
        if (this.#weakness === 'prepared ignored') look.prepared = [];
        this.#phase = 'finished';
        break;
      case 'finished':
        look.finished = this.#finished();
        this.#phase = 'snapshot';
        break;
      case 'snapshot':
        this.#snapshot = this.#world.snapshot();
        this.#sequence = this.#world.count;
        this.#phase = 'copied';
        break;
      case 'copied':
        this.#commit(this.#snapshot!);
        this.#table++;
        this.#phase = this.#table < TABLES ? 'snapshot' : 'clock';
        this.#table %= TABLES;
        break;
    }
  }

  /** Its lock is on the table between the snapshot and the end of the copy. */
  get isReading(): boolean {
    return this.#phase === 'copied';
  }

  /** The process dies: nothing of the run counts. */
  crash(): void {
    this.#phase = 'clock';
    this.#table = 0;
  }

  /** Ends the run at hand, if there is one, and makes another. */
  run(): void {
    this.crash();
    do this.step();
    while (this.#phase !== 'clock');
  }

  /** The look is shared by both tables, and asks with what the first of them has seen. */
  #finished() {
    const { xmin, xmax } = this.#world.snapshot();
    const seen = this.marks[0]?.seen ?? [];
    const finished: bigint[] = [];
    for (const { from, to } of complement(seen, { from: xmin, to: xmax }))
      for (let id = from; id < to; id++) if (!this.#seemsRunning(id)) finished.push(id);
    return [...seen.filter(({ to }) => to > xmin), ...rangesOf(finished)];
  }

  #seemsRunning(id: bigint): boolean {
    if (this.#weakness !== 'subtransactions called finished') return this.#world.isRunning(id);
    return this.#world.snapshot().running.includes(id);
  }

  #commit(snapshot: WorldSnapshot): void {
    const previous = this.marks[this.#table];
    const leaves = this.#world.leaves(this.#table);
    const choice = chooseRows({
      previous,
      full: false,
      leaves: this.#weakness === 'partitions ignored' ? (previous?.leaves ?? leaves) : leaves,
      history: { ...HISTORY, xmax: snapshot.xmax },
      at: snapshot.at,
      hasCursor: true,
      counts: this.#world.counted,
    });
    const visible = this.#world.visible(snapshot, this.#table);
    const rows = visible.filter((version) => this.#isChosen(version, choice));
    for (const { number } of rows) this.#exported.set(number, (this.#exported.get(number) ?? 0) + 1);
    for (const version of visible) {
      const times = this.#exported.get(version.number) ?? 0;
      if (times !== 1) throw new Error(`row ${version.row}, version ${version.number}: exported ${times} times`);
    }
    const mark = nextMark({
      previous: choice.base,
      look: this.#look,
      snapshot,
      carried: this.#carried(rows, snapshot).filter((id) => !this.#world.isRunning(id)),
      watermark: String(rows.reduce((most, { cursor }) => (cursor! > most ? cursor! : most), watermarkOf(choice.base))),
      lateMs: 3_600_000,
      marginMs: 0,
      leaves,
      history: choice.history,
      doubt: choice.doubt,
      step: this.#world.counted ? { at: snapshot.at, value: this.#counted(rows, choice.base), column: 'rev' } : null,
    });
    this.#runs[this.#table].push({ xmax: snapshot.xmax, watermark: this.#counted(rows, choice.base) });
    if (this.#weakness === 'activity after the snapshot') mark.floor = this.#lateFloor(mark.floor);
    if (this.#weakness === 'seen set forgotten') mark.seen = [];
    this.#check(previous, mark);
    this.marks[this.#table] = mark;
  }

  /** The sequence when it may be read, else the greatest value exported. */
  #counted(rows: Version[], previous: Mark | null): bigint {
    if (this.#readsSequence) return this.#sequence;
    return rows.reduce((most, { cursor }) => ((cursor ?? 0n) > most ? cursor! : most), watermarkOf(previous));
  }

  #lowestCount(since: Mark): bigint {
    if (this.#weakness !== 'counted by ids') return coveredValue(since.trail, since.floor) ?? 0n;
    return this.#runs[this.#table].findLast(({ xmax }) => xmax <= since.xmin)?.watermark ?? 0n;
  }

  #isChosen(version: Version, { since, apart }: Choice): boolean {
    const oid = this.#world.leafOf(version.row);
    const rule = apart.find(({ leaf }) => leaf.oid === oid)?.rule;
    if (since === null || rule === 'all') return true;
    return this.#isWanted(version, rule === 'ids' ? { ...since, floor: null } : since);
  }

  #isWanted({ id, cursor }: Version, since: Mark | null): boolean {
    if (since === null) return true;
    if (this.#world.counted && cursor !== null && cursor < this.#lowestCount(since)) return false;
    if (this.#world.counted) return id >= since.xmin && !contains(since.seen, id);
    if (this.#weakness === 'watermark alone') return cursor === null || cursor > watermarkOf(since);
    if (since.floor !== null && cursor !== null && cursor < this.#floorValue(since.floor)) return false;
    return id >= since.xmin && !contains(since.seen, id);
  }

  /** As changed-rows.ts writes it into the query. */
  #floorValue(floor: bigint): bigint {
    return this.#weakness === 'no cut to the second' ? floor : floor - (floor % 1_000_000n);
  }

  #carried(rows: Version[], snapshot: WorldSnapshot): bigint[] {
    const ids = new CarriedIds(snapshot, this.#look.finished);
    const view = new DataView(new ArrayBuffer(rows.length * 4));
    for (const [i, { id }] of rows.entries()) view.setUint32(i * 4, Number(id & 0xffff_ffffn));
    ids.add(
      view,
      Int32Array.from(rows, (_, i) => i * 4),
      0,
      rows.length,
    );
    return ids.ids();
  }

  #lateFloor(floor: bigint | null): bigint | null {
    const now = this.#world.oldestStart(true) ?? this.#world.clock;
    return floor === null || now < floor ? floor : now;
  }

  #check(previous: Mark | null, mark: Mark): void {
    if (previous && mark.xmin < previous.xmin) throw new Error('the xmin went back');
    if (previous?.floor != null && (mark.floor === null || mark.floor < previous.floor))
      throw new Error('the floor went back');
    for (const [i, { from, to }] of mark.seen.entries()) {
      const before = mark.seen[i - 1];
      if (from >= to || from < mark.xmin || (before && before.to >= from))
        throw new Error('the seen set is not in order');
    }
  }
}

function watermarkOf(mark: Mark | null): bigint {
  return mark?.watermark == null ? 0n : BigInt(mark.watermark);
}
