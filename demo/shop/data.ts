/** Makes the shop's rows, about 100,000. Invariant: the same names and amounts at every start; only the dates follow the clock. */

import { ADJECTIVES, COUNTRIES, FIRST_NAMES, GENRES, LAST_NAMES, NOUNS, PLAYLISTS, TITLES } from './words.ts';

export const COUNTS = { artist: 400, album: 1_600, customer: 2_500, invoice: 15_000, playlist: 300 };
const SONGS_AN_ALBUM = 10;
const SONGS_A_PLAYLIST = 65;
const HISTORY_DAYS = 730;
const DAY_MS = 86_400_000;

type Row = Record<string, unknown>;

/** Numbers that look random, the same at every start (mulberry32). */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  /** 0 <= x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)];
  }
  chance(of: number): boolean {
    return this.next() < of;
  }
}

/** Cents as a numeric: never a float. */
const money = (cents: number) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
const PRICES = [79, 99, 129];

/** Rows of every table, parents first. `now`: milliseconds since 1970; the history ends an hour before. */
export function* shopRows(now: number): Generator<[table: string, rows: Row[]]> {
  const dice = new Dice(1973);
  const moment = (daysAgo = HISTORY_DAYS) => new Date(now - 3_600_000 - dice.next() * daysAgo * DAY_MS).toISOString();
  const day = (yearsAgo: number) => new Date(now - dice.next() * yearsAgo * 365 * DAY_MS).toISOString().slice(0, 10);
  const person = () => `${dice.pick(FIRST_NAMES)} ${dice.pick(LAST_NAMES)}`;
  const phrase = () => `${dice.pick(ADJECTIVES)} ${dice.pick(NOUNS)}`;
  const people = COUNTRIES.flatMap((country) => Array<typeof country>(country.weight).fill(country));
  const make = (count: number, row: (id: number) => Row) => Array.from({ length: count }, (_, i) => row(i + 1));

  yield [
    'artist',
    make(COUNTS.artist, (artist_id) => ({
      artist_id,
      name: dice.chance(0.6) ? `The ${phrase()}s` : person(),
      country: dice.chance(0.95) ? dice.pick(COUNTRIES).code : null,
      active_since: dice.chance(0.8) ? day(50) : null,
      updated_at: moment(),
    })),
  ];
  yield [
    'album',
    make(COUNTS.album, (album_id) => ({
      album_id,
      artist_id: ((album_id - 1) % COUNTS.artist) + 1,
      title: dice.chance(0.5) ? phrase() : `${phrase()} and ${phrase()}`,
      released: day(40),
      cover: `\\x${Math.floor(dice.next() * 2 ** 48)
        .toString(16)
        .padStart(12, '0')}`,
      updated_at: moment(),
    })),
  ];
  const prices: number[] = [];
  yield [
    'track',
    make(COUNTS.album * SONGS_AN_ALBUM, (track_id) => {
      prices.push(dice.pick(PRICES));
      return {
        track_id,
        album_id: Math.ceil(track_id / SONGS_AN_ALBUM),
        position: ((track_id - 1) % SONGS_AN_ALBUM) + 1,
        title: dice.chance(0.3) ? `${phrase()} (${dice.pick(['live', 'remix', 'demo', 'acoustic'])})` : phrase(),
        genres: [...new Set([dice.pick(GENRES), dice.pick(GENRES)])],
        length: `${dice.int(90, 480)} seconds`,
        price: money(prices.at(-1)!),
        explicit: dice.chance(0.1),
        loudness: dice.chance(0.9) ? -dice.int(50, 230) / 10 : null,
        updated_at: moment(),
      };
    }),
  ];
  yield [
    'employee',
    make(TITLES.length, (employee_id) => ({
      employee_id,
      name: person(),
      title: TITLES[employee_id - 1],
      reports_to: employee_id === 1 ? null : employee_id < 4 ? 1 : dice.int(2, 3),
      hired: day(12),
      updated_at: moment(),
    })),
  ];
  const homes: string[] = [];
  yield [
    'customer',
    make(COUNTS.customer, (customer_id) => {
      const name = person();
      const { name: country, cities } = dice.pick(people);
      homes.push(country);
      return {
        customer_id,
        name,
        email: `${name.toLowerCase().replaceAll(/[^a-z]+/g, '.')}${customer_id}@example.com`,
        city: dice.pick(cities),
        country,
        birthday: dice.chance(0.7) ? day(70) : null,
        preferences: {
          newsletter: dice.chance(0.4),
          favourite: dice.pick(GENRES),
          quality: dice.pick([128, 256, 320]),
        },
        support_id: dice.int(4, 7),
        updated_at: moment(),
      };
    }),
  ];
  const lines: Row[] = [];
  yield [
    'invoice',
    make(COUNTS.invoice, (invoice_id) => {
      const customer = dice.int(1, COUNTS.customer);
      const created_at = moment();
      let total = 0;
      for (let left = dice.int(1, 5); left > 0; left--) {
        const track_id = dice.int(1, prices.length);
        total += prices[track_id - 1];
        const price = money(prices[track_id - 1]);
        lines.push({
          invoice_line_id: lines.length + 1,
          invoice_id,
          track_id,
          price,
          quantity: 1,
          updated_at: created_at,
        });
      }
      const status = dice.chance(0.9) ? 'paid' : dice.chance(0.8) ? 'open' : 'refunded';
      const country = homes[customer - 1];
      return {
        invoice_id,
        customer_id: customer,
        status,
        country,
        total: money(total),
        created_at,
        updated_at: created_at,
      };
    }),
  ];
  yield ['invoice_line', lines];
  yield [
    'playlist',
    make(COUNTS.playlist, (playlist_id) => ({
      playlist_id,
      customer_id: dice.chance(0.9) ? dice.int(1, COUNTS.customer) : null,
      name: dice.pick(PLAYLISTS),
      share_key: `00000000-0000-4000-8000-${Math.floor(dice.next() * 2 ** 48)
        .toString(16)
        .padStart(12, '0')}`,
      updated_at: moment(),
    })),
  ];
  yield [
    'playlist_track',
    Array.from({ length: COUNTS.playlist }, (_, i) => i + 1).flatMap((playlist_id) => {
      const first = dice.int(1, prices.length - SONGS_A_PLAYLIST * 11);
      return make(SONGS_A_PLAYLIST, (position) => ({ playlist_id, track_id: first + position * 11, position }));
    }),
  ];
}
