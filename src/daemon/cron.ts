/**
 * Schedules: when something is due next. Pure but for the time zones that Node knows. node-cron says what an expression means;
 * time is ours. Invariant: next(t) is after t, and a daily time comes once a day, on the days on which clocks change too.
 */

import cron from 'node-cron';
import { parseDuration } from '../config/units.ts';

export type Schedule = {
  /** The first time after `after`, both in milliseconds since 1970; null: never again. */
  next(after: number): number | null;
};

const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
/** 29 February comes again after at most so many days. */
const FARTHEST_DAYS = 8 * 366 + 1;

/** `expression` was checked by the configuration. Null: `off`. */
export function parseSchedule(expression: string, timezone: string): Schedule | null {
  if (expression === 'off') return null;
  const every = /^@every\s+(\S+)$/.exec(expression)?.[1];
  return every === undefined ? cronSchedule(expression, timezone) : everySchedule(parseDuration(every));
}

/** Multiples since 1970, so that a restart changes nothing and two daemons agree. */
function everySchedule(ms: number): Schedule {
  return { next: (after) => (Math.floor(after / ms) + 1) * ms };
}

function cronSchedule(expression: string, timezone: string): Schedule {
  const walls = wallTimes(expression);
  const zone = offsets(timezone);
  return {
    next: (after) => (walls.everyHour ? nextOfEveryHour(walls, zone, after) : nextOfSomeHours(walls, zone, after)),
  };
}

/** Every five minutes means five minutes of time that passes: the hour that comes twice in autumn has its runs twice. */
function nextOfEveryHour(walls: Walls, zone: Zone, after: number): number | null {
  const offset = zone(after);
  const wall = walls.after(after + offset);
  if (wall === null || zone(wall - offset) === offset) return wall === null ? null : wall - offset;
  const change = changeBetween(zone, after, wall - offset);
  const later = walls.after(change + zone(change) - 1);
  return later === null ? null : later - zone(change);
}

/** A time that does not exist in spring is moved by the hour that is left out; one that comes twice in autumn counts when it comes first. */
function nextOfSomeHours(walls: Walls, zone: Zone, after: number): number | null {
  // What was moved past `after` has a wall time before it.
  const from = after + zone(after) - (zone(after - 3 * HOUR) === zone(after) ? 0 : 3 * HOUR);
  for (let wall = walls.after(from); wall !== null; wall = walls.after(wall)) {
    const first = instantsOf(zone, wall)[0];
    if (first > after) return first;
  }
  return null;
}

/** Wall clock times, as if they were UTC. */
type Walls = {
  /** Whether every hour of a day has its times. */
  everyHour: boolean;
  after(wall: number): number | null;
};

function wallTimes(expression: string): Walls {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = cron.parse(expression);
  const days = `0 0 0 ${dayOfMonth.join()} ${month.join()} ${dayOfWeek.join()}`;
  const isDay = dayMatcher(days);
  const times = { hours: sorted(hour), minutes: sorted(minute), seconds: sorted(second) };
  return {
    everyHour: times.hours.length === 24,
    after(wall) {
      const from = Math.floor(wall / SECOND) * SECOND + SECOND;
      const today = Math.floor(from / DAY) * DAY;
      for (let i = 0; i <= FARTHEST_DAYS; i++) {
        const day = today + i * DAY;
        if (!isDay(day)) continue;
        const time = timeFrom(times, i === 0 ? from - day : 0);
        if (time !== null) return day + time;
      }
      return null;
    },
  };
}

const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b);

// node-cron keeps each task that it made for as long as the process lives: one for each expression, however often the configuration is read.
const matchers = new Map<string, (day: number) => boolean>();

function dayMatcher(expression: string): (day: number) => boolean {
  const known = matchers.get(expression);
  if (known) return known;
  const task = cron.createTask(expression, () => {}, { timezone: 'UTC' });
  let [lastDay, last] = [Number.NaN, false];
  const matches = (day: number) => {
    if (day !== lastDay) [lastDay, last] = [day, task.match(new Date(day))];
    return last;
  };
  matchers.set(expression, matches);
  return matches;
}

/** The first time of a day at or after `from`, in milliseconds since its midnight. */
function timeFrom(
  { hours, minutes, seconds }: { hours: number[]; minutes: number[]; seconds: number[] },
  from: number,
): number | null {
  for (const hour of hours) {
    if ((hour + 1) * HOUR <= from) continue;
    for (const minute of minutes) {
      if (hour * HOUR + (minute + 1) * 60 * SECOND <= from) continue;
      for (const second of seconds) {
        const time = hour * HOUR + minute * 60 * SECOND + second * SECOND;
        if (time >= from) return time;
      }
    }
  }
  return null;
}

/** How far the wall clock is ahead of UTC at an instant, in milliseconds. */
type Zone = (instant: number) => number;

function offsets(timezone: string): Zone {
  if (timezone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  // To ask Intl costs 3 µs, and schedules ask again and again about the same quarter of an hour; clocks change at none but its ends.
  const known = new Map<number, number>();
  return (instant) => {
    const quarter = Math.floor(instant / (HOUR / 4));
    let offset = known.get(quarter);
    if (offset === undefined) {
      if (known.size > 1_000) known.clear();
      offset = offsetOf(format, quarter * (HOUR / 4));
      known.set(quarter, offset);
    }
    return offset;
  };
}

function offsetOf(format: Intl.DateTimeFormat, instant: number): number {
  const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - instant;
}

/** When a wall clock shows this time: once, twice, or never; then what it shows an hour (or as much as is left out) later. */
function instantsOf(zone: Zone, wall: number): [number, ...number[]] {
  const about = wall - zone(wall);
  const before = zone(about - 3 * HOUR);
  const after = zone(about + 3 * HOUR);
  const [first, second] = [before, after]
    .map((offset) => wall - offset)
    .filter((at, i) => zone(at) === [before, after][i]);
  if (first === undefined) return [wall - before];
  return second === undefined || second === first ? [first] : [first, second];
}

/** The first instant after `from` that has another offset; there is one up to `to`. */
function changeBetween(zone: Zone, from: number, to: number): number {
  const offset = zone(from);
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone(middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}
