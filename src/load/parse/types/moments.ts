/** Values of date, timestamp and timestamptz: ISO 8601 texts, checked down to the length of the month. */

import { type Complaint, kindName, latin1, STRING, shown, TEXT, type WriteValue } from '../value.ts';

type MomentType = 'date' | 'timestamp' | 'timestamptz';

const KINDS = { date: 'date', timestamp: 'time', timestamptz: 'time' };
// Inside what Postgres stores, by years; dates reach further.
const LAST_YEAR = { date: 5_874_896, timestamp: 294_275, timestamptz: 294_275 };
const FIRST_YEAR_BC = 4_712;

/**
 * `2025-04-19T10:00:00.123456Z`, a space instead of T, seconds and their fraction left out, `+02`, `+0200`, `+02:00`, the basic form
 * `20250419T100000Z`, a date alone (its midnight), `infinity`, and Postgres's own `BC`. Without a zone a timestamptz is read as UTC. A timestamp
 * without time zone takes no offset but UTC's, a date no time but midnight: Postgres would drop them silently.
 */
export function moment(type: MomentType): WriteValue {
  return (b, kind, start, end, out) => {
    if (kind !== STRING && kind !== TEXT)
      return `${kindName(kind)} is no ${KINDS[type]}: it must be a text in ISO 8601`;
    if (type !== 'date' && isUsual(b, start, end)) {
      out.plain(b, start, type === 'timestamp' ? end - 1 : end);
      return null;
    }
    const word = end - start > 60 ? '' : latin1(b, start, end);
    const read = rewritten(word, type);
    if ('complaint' in read) return `${shown(b, start, end)} ${read.complaint}`;
    out.text(read.text);
    return null;
  };
}

/** `2025-04-19T10:00:00Z`, with or without a fraction: what nearly all events carry. */
function isUsual(b: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < 20 || b[end - 1] !== 90 || b[start + 4] !== 45 || b[start + 7] !== 45) return false;
  if ((b[start + 10] !== 84 && b[start + 10] !== 32) || b[start + 13] !== 58 || b[start + 16] !== 58) return false;
  if (length > 20) {
    if (b[start + 19] !== 46 || length === 21 || length > 30) return false;
    for (let i = start + 20; i < end - 1; i++) if (b[i] < 48 || b[i] > 57) return false;
  }
  const year = two(b, start) * 100 + two(b, start + 2);
  const month = two(b, start + 5);
  const day = two(b, start + 8);
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysOf(year, month)))) return false;
  return two(b, start + 11) <= 23 && two(b, start + 14) <= 59 && two(b, start + 17) <= 59;
}

/** NaN where one of them is no digit: every comparison with it is false. */
function two(b: Uint8Array, at: number): number {
  const tens = b[at] - 48;
  const ones = b[at + 1] - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const EXTENDED =
  /^(\d{4,7})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,12})?)?)? ?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?( BC)?$/i;
const BASIC = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:(\d\d)(\.\d{1,12})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?( BC)?$/i;

/** The text for Postgres. */
function rewritten(word: string, type: MomentType): { text: string } | { complaint: Exclude<Complaint, null> } {
  if (/^-?infinity$/i.test(word)) return { text: word.toLowerCase() };
  const parts = EXTENDED.exec(word) ?? BASIC.exec(word);
  if (!parts) return { complaint: `is no ${KINDS[type]} in ISO 8601` };
  const [, years, months, days, hour, minute, second = '00', fraction = '', zone = '', bc = ''] = parts;
  const [year, month, day] = [Number(years), Number(months), Number(days)];
  const time = hour !== undefined;
  if (year < 1 || month < 1 || month > 12) return { complaint: 'is no day of the calendar' };
  if (day < 1 || day > daysOf(bc ? year - 1 : year, month)) return { complaint: 'is no day of the calendar' };
  if (year > (bc ? FIRST_YEAR_BC : LAST_YEAR[type])) return { complaint: 'is out of the range of Postgres' };
  if (time && !isTime(Number(hour), Number(minute), Number(second), Number(fraction || '0'))) {
    return { complaint: 'has no time of the day' };
  }
  if (zone && !isZone(zone)) return { complaint: 'has no offset of a time zone' };
  const utc = zone === '' || /^(Z|[+-][0:]+)$/i.test(zone);
  const date = `${years}-${months}-${days}`;
  if (type === 'date') {
    if (time && (Number(hour) || Number(minute) || Number(second) || Number(fraction || '0') || !utc)) {
      return { complaint: 'has a time, which a date would lose' };
    }
    return { text: date + bc };
  }
  if (type === 'timestamp' && !utc)
    return { complaint: 'has an offset, which a timestamp without time zone would lose' };
  const clock = time ? `${hour}:${minute}:${second}${fraction}` : '00:00:00';
  return { text: `${date} ${clock}${type === 'timestamp' ? '' : utc ? '+00' : zone}${bc}` };
}

/** 24:00:00 ends a day, second 60 is a leap second: Postgres takes both. */
function isTime(hour: number, minute: number, second: number, fraction: number): boolean {
  if (hour === 24) return minute === 0 && second === 0 && fraction === 0;
  return hour < 24 && minute < 60 && (second < 60 || (second === 60 && fraction === 0));
}

function isZone(zone: string): boolean {
  if (/^z$/i.test(zone)) return true;
  const [hours, minutes, seconds] = zone.slice(1).replaceAll(':', '').match(/\d\d/g)!.map(Number);
  return hours <= 15 && (minutes ?? 0) < 60 && (seconds ?? 0) < 60;
}
