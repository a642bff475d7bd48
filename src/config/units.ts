/** Sizes and durations as people write them. */

const SIZES: Record<string, number> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };
const TIMES: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `128MB`; as in Postgres a kB is 1,024 bytes, and KiB is another word for it. */
export const SIZE = /^\d+(\.\d+)?\s?([kKMGT]i?)?B$/;
/** `30m`, `1h30m`, `500ms`. */
export const DURATION = /^(\d+(ms|[smhdw]))+$/;

/** Bytes of a text that SIZE matches. */
export function parseSize(text: string): number {
  const [, amount, unit] = /^([\d.]+)\s?(.*)$/.exec(text)!;
  return Math.round(Number(amount) * SIZES[unit.replace('i', '').toUpperCase()]);
}

/** Milliseconds of a text that DURATION matches. */
export function parseDuration(text: string): number {
  return [...text.matchAll(/(\d+)(ms|[smhdw])/g)].reduce((sum, [, n, unit]) => sum + Number(n) * TIMES[unit], 0);
}
