/** Makes the shop's rows, about 100,000. Invariant: every reference leads to a row, and an invoice's total is the sum of its lines. */

import { Dice } from './dice.ts';
import { COUNTRIES, GENRES, PLAYLISTS, TITLES } from './words.ts';

const ARTISTS = 400;
const ALBUMS = 1_600;
export const SONGS = ALBUMS * 10;
export const CUSTOMERS = 2_500;
const INVOICES = 15_000;
const LISTS = 300;
const SONGS_A_LIST = 65;
const PRICES = [79, 99, 129];

type Row = Record<string, unknown>;
type Rows = [table: string, rows: Row[]];

/** Rows of every table, parents first; the history ends an hour before `now` (milliseconds since 1970). */
export function* shopRows(now: number): Generator<Rows> {
  const dice = new Dice(1973, now - 3_600_000);
  /** In cents: money is never a float here. */
  const prices = make(SONGS, () => dice.pick(PRICES));
  const people = COUNTRIES.flatMap((country) => Array<typeof country>(country.weight).fill(country));
  const homes = make(CUSTOMERS, () => dice.pick(people));
  yield ['artist', make(ARTISTS, (id) => artist(dice, id))];
  yield ['album', make(ALBUMS, (id) => album(dice, id))];
  yield ['track', make(SONGS, (id) => track(dice, id, prices[id - 1]))];
  yield ['employee', make(TITLES.length, (id) => employee(dice, id))];
  yield ['customer', make(CUSTOMERS, (id) => customer(dice, id, homes[id - 1]))];
  yield* sales(
    dice,
    prices,
    homes.map(({ name }) => name),
  );
  yield* playlists(dice);
}

/** `row` of 1, 2, 3 … */
function make<T>(count: number, row: (id: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => row(i + 1));
}

function money(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}

function artist(dice: Dice, artist_id: number): Row {
  return {
    artist_id,
    name: dice.chance(0.6) ? `The ${dice.phrase()}s` : dice.person(),
    country: dice.chance(0.95) ? dice.pick(COUNTRIES).code : null,
    active_since: dice.chance(0.8) ? dice.day(50) : null,
    updated_at: dice.moment(),
  };
}

function album(dice: Dice, album_id: number): Row {
  return {
    album_id,
    artist_id: dice.int(1, ARTISTS),
    title: dice.chance(0.5) ? dice.phrase() : `${dice.phrase()} and ${dice.phrase()}`,
    released: dice.day(40),
    cover: `\\x${dice.hex()}`,
    updated_at: dice.moment(),
  };
}

function track(dice: Dice, track_id: number, cents: number): Row {
  const version = dice.chance(0.3) ? ` (${dice.pick(['live', 'remix', 'demo', 'acoustic'])})` : '';
  return {
    track_id,
    album_id: Math.ceil(track_id / (SONGS / ALBUMS)),
    position: ((track_id - 1) % (SONGS / ALBUMS)) + 1,
    title: dice.phrase() + version,
    genres: [...new Set([dice.pick(GENRES), dice.pick(GENRES)])],
    length: `${dice.int(90, 480)} seconds`,
    price: money(cents),
    explicit: dice.chance(0.1),
    loudness: dice.chance(0.9) ? -dice.int(50, 230) / 10 : null,
    updated_at: dice.moment(),
  };
}

function employee(dice: Dice, employee_id: number): Row {
  return {
    employee_id,
    name: dice.person(),
    title: TITLES[employee_id - 1],
    reports_to: employee_id === 1 ? null : employee_id < 4 ? 1 : dice.int(2, 3),
    hired: dice.day(12),
    updated_at: dice.moment(),
  };
}

function customer(dice: Dice, customer_id: number, home: (typeof COUNTRIES)[number]): Row {
  const name = dice.person();
  return {
    customer_id,
    name,
    email: `${name.toLowerCase().replaceAll(/[^a-z]+/g, '.')}${customer_id}@example.com`,
    city: dice.pick(home.cities),
    country: home.name,
    birthday: dice.chance(0.7) ? dice.day(70) : null,
    preferences: { newsletter: dice.chance(0.4), favourite: dice.pick(GENRES), quality: dice.pick([128, 256, 320]) },
    support_id: dice.int(4, 7),
    updated_at: dice.moment(),
  };
}

function* sales(dice: Dice, prices: number[], countries: string[]): Generator<Rows> {
  const lines: Row[] = [];
  const invoices = make(INVOICES, (invoice_id): Row => {
    const customer_id = dice.int(1, CUSTOMERS);
    const created_at = dice.moment();
    const songs = make(dice.int(1, 5), () => dice.int(1, SONGS));
    for (const track_id of songs) {
      const price = money(prices[track_id - 1]);
      const invoice_line_id = lines.length + 1;
      lines.push({ invoice_line_id, invoice_id, track_id, price, quantity: 1, updated_at: created_at });
    }
    const status = dice.chance(0.9) ? 'paid' : dice.chance(0.8) ? 'open' : 'refunded';
    const total = money(songs.reduce((sum, track_id) => sum + prices[track_id - 1], 0));
    const country = countries[customer_id - 1];
    return { invoice_id, customer_id, status, country, total, created_at, updated_at: created_at };
  });
  yield ['invoice', invoices];
  yield ['invoice_line', lines];
}

function* playlists(dice: Dice): Generator<Rows> {
  const list = (playlist_id: number): Row => ({
    playlist_id,
    customer_id: dice.chance(0.9) ? dice.int(1, CUSTOMERS) : null,
    name: dice.pick(PLAYLISTS),
    share_key: `00000000-0000-4000-8000-${dice.hex()}`,
    updated_at: dice.moment(),
  });
  yield ['playlist', make(LISTS, list)];
  // Every eleventh song from somewhere on: no song twice on a list.
  const songs = make(LISTS, (playlist_id) => {
    const first = dice.int(1, SONGS - SONGS_A_LIST * 11);
    return make(SONGS_A_LIST, (position) => ({ playlist_id, track_id: first + position * 11, position }));
  });
  yield ['playlist_track', songs.flat()];
}
