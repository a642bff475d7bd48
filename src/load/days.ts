/** Days of date patterns. Invariant: a day is `2026-11-21`, in the load's time zone; no Date stands for one. Pure. */

import { TidemarkError } from '../model/error.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 20_000;

/** The day of an instant. */
export function dayAt(ms: number, timezone: string): string {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: timezone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  const { year, month, day } = Object.fromEntries(parts.formatToParts(ms).map(({ type, value }) => [type, value]));
  return `${year.padStart(4, '0')}-${month}-${day}`;
}

/** Every day from one to another, both included. */
function daysBetween(first: string, last: string): string[] {
  const days: string[] = [];
  for (let ms = Date.parse(first); ms <= Date.parse(last) && days.length < MOST_DAYS; ms += DAY_MS) {
    days.push(new Date(ms).toISOString().slice(0, 10));
  }
  return days;
}

/** The days that a window touches which ends now. */
export function daysOfWindow(nowMs: number, windowMs: number, timezone: string): string[] {
  return daysBetween(dayAt(nowMs - windowMs, timezone), dayAt(nowMs, timezone));
}

/** `--date 2026-11-20` or `--date 2026-11-18..2026-11-20`. Throws USAGE. */
export function parseDays(text: string): string[] {
  const [, first, last = first] = /^(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?$/.exec(text) ?? [];
  if (isDay(first) && isDay(last) && first <= last) return daysBetween(first, last);
  throw new TidemarkError('USAGE', `--date: ${JSON.stringify(text)} is neither a day nor a span of days`, {
    hint: 'write 2026-11-20, or 2026-11-18..2026-11-20 with the earlier day first',
  });
}

// JavaScript takes 30 February for the 2nd of March.
function isDay(text: string | undefined): text is string {
  const ms = Date.parse(text ?? '');
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text!);
}

/** The pattern with a day's numbers in place of `{yyyy}`, `{mm}`, `{dd}`. */
export function fillDay(pattern: string, day: string): string {
  const [year, month, date] = day.split('-');
  return pattern.replaceAll('{yyyy}', year).replaceAll('{mm}', month).replaceAll('{dd}', date);
}

export function hasDate(pattern: string): boolean {
  return /\{(yyyy|mm|dd)\}/.test(pattern);
}
