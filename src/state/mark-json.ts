/** The mark as JSON that a person can read and that gives every id and microsecond back exactly: no number in it, only text. */

import { TidemarkError } from '../model/error.ts';
import type { History, IdRange, Mark, Micros } from '../model/mark.ts';
import type { ChunkPlan, ChunkRest } from '../model/run.ts';

/** `seen` is the text of an int8multirange; instants are ISO 8601 in UTC with six digits after the point. */
export type MarkJson = {
  xmin: string;
  seen: string;
  floor: string | null;
  watermark: string | null;
  at: string;
  prepared: { id: string; floor: string | null }[];
  /** Filenodes by oid. Absent, as is history: noted by an older tidemark. */
  leaves?: Record<string, string>;
  history?: { system: string | null; timeline: string | null; lsn: string | null; xmax: string };
  doubt?: { at: string; why: string };
  /** Only with a counted cursor. */
  trail?: { at: string; value: string; column: string }[];
};

/** A chunk plan, with what a run that is not full needs besides. */
export type ChunkPlanJson = ChunkPlan & { rest?: { since: MarkJson; leaves: ChunkRest['leaves'] } };

export function markToJson(mark: Mark): MarkJson {
  return {
    xmin: String(mark.xmin),
    seen: `{${mark.seen.map(({ from, to }) => `[${from},${to})`).join(',')}}`,
    floor: mark.floor === null ? null : instantText(mark.floor),
    watermark: mark.watermark,
    at: instantText(mark.at),
    prepared: mark.prepared.map(({ id, floor }) => ({
      id: String(id),
      floor: floor === null ? null : instantText(floor),
    })),
    ...(mark.leaves && { leaves: Object.fromEntries(mark.leaves.map(({ oid, filenode }) => [oid, String(filenode)])) }),
    ...(mark.history && { history: historyToJson(mark.history) }),
    ...(mark.doubt && { doubt: { at: instantText(mark.doubt.at), why: mark.doubt.why } }),
    ...(mark.trail.length > 0 && {
      trail: mark.trail.map(({ at, value, column }) => ({ at: instantText(at), value: String(value), column })),
    }),
  };
}

function historyToJson({ system, timeline, lsn, xmax }: History): MarkJson['history'] {
  const text = (value: bigint | number | null) => (value === null ? null : String(value));
  return { system, timeline: text(timeline), lsn: text(lsn), xmax: String(xmax) };
}

function historyFromJson({ system, timeline, lsn, xmax }: NonNullable<MarkJson['history']>): History {
  return {
    system,
    timeline: timeline === null ? null : Number(timeline),
    lsn: lsn === null ? null : BigInt(lsn),
    xmax: BigInt(xmax),
  };
}

/** Throws STATE_FAILED when a person has changed the mark into something else. */
export function markFromJson(json: MarkJson): Mark {
  try {
    return {
      xmin: BigInt(json.xmin),
      seen: parseRanges(json.seen),
      floor: json.floor === null ? null : parseInstant(json.floor),
      watermark: json.watermark,
      at: parseInstant(json.at),
      prepared: json.prepared.map(({ id, floor }) => ({
        id: BigInt(id),
        floor: floor === null ? null : parseInstant(floor),
      })),
      leaves: json.leaves
        ? Object.entries(json.leaves).map(([oid, filenode]) => ({ oid: Number(oid), filenode: Number(filenode) }))
        : null,
      history: json.history ? historyFromJson(json.history) : null,
      doubt: json.doubt ? { at: parseInstant(json.doubt.at), why: json.doubt.why } : null,
      trail: (json.trail ?? []).map(({ at, value, column }) => ({
        at: parseInstant(at),
        value: BigInt(value),
        column,
      })),
    };
  } catch (cause) {
    throw new TidemarkError('STATE_FAILED', 'a mark in the state store cannot be read', {
      cause,
      hint: 'somebody changed source_table.mark by hand; set it to null and run export --full for that table',
    });
  }
}

function parseRanges(text: string): IdRange[] {
  if (!/^\{(\[\d+,\d+\)(,(?!\})|(?=\})))*\}$/.test(text))
    throw new Error(`not an int8multirange: ${text.slice(0, 100)}`);
  return Array.from(text.matchAll(/\[(\d+),(\d+)\)/g), ([, from, to]) => ({ from: BigInt(from), to: BigInt(to) }));
}

/** `2026-07-01T09:30:00.123456Z`. Exact; throws a RangeError outside of the years -271821 to 275760. */
export function instantText(micros: Micros): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (micros - fraction) / 1_000_000n;
  const iso = new Date(Number(seconds) * 1000).toISOString();
  return `${iso.slice(0, iso.indexOf('.'))}.${String(fraction).padStart(6, '0')}Z`;
}

/** The reverse of instantText. */
export function parseInstant(text: string): Micros {
  const parts = /^(.+)\.(\d{6})Z$/.exec(text);
  if (!parts) throw new Error(`not an instant: ${text}`);
  return BigInt(Date.parse(`${parts[1]}Z`)) * 1000n + BigInt(parts[2]);
}
