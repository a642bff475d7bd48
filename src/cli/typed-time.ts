/** Instants and durations as they are typed on the command line. Pure. */

import { DURATION, parseDuration } from '../config/units.ts';
import { TidemarkError } from '../model/error.ts';
import type { Micros } from '../model/mark.ts';

const INSTANT = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6}))?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?)?$/;

/** `2026-11-20`, `2026-11-20 10:22`, `2026-11-20T10:22:30.123456+01`; without a zone it is UTC. Throws USAGE. */
export function parseTime(text: string, option: string): Micros {
  const [, date, time = '00:00', fraction = '', zone = 'Z'] = INSTANT.exec(text) ?? [];
  const offset = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const ms = Date.parse(`${date}T${time}${offset}`);
  // JavaScript takes 30 February for the 2nd of March.
  const real = !Number.isNaN(ms) && new Date(Date.parse(`${date}T00:00Z`)).toISOString().startsWith(date);
  if (real) return BigInt(ms) * 1000n + BigInt(fraction.padEnd(6, '0'));
  throw new TidemarkError('USAGE', `${option}: ${JSON.stringify(text)} is no instant`, {
    hint: 'write 2026-11-20, or 2026-11-20 10:22:30+01; without a zone it is UTC',
  });
}

/** Milliseconds. Throws USAGE. */
export function parseSpan(text: string, option: string): number {
  if (DURATION.test(text)) return parseDuration(text);
  throw new TidemarkError('USAGE', `${option}: ${JSON.stringify(text)} is no duration`, {
    hint: 'write a number and ms, s, m, h, d or w, such as 7d or 1h30m',
  });
}
