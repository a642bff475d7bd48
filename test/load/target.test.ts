import { expect, test } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

test('a batch of drops is in the table and in the ledger; the drops are then known', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url));
  const claimed = await target.claim([drop('a'), drop('b')], never);
  const rows = {
    a: [
      [1, 'x\t\\y', '1.50'],
      [2, null, null],
    ],
    b: [[3, '', 0]],
  } as const;
  const outcome = await target.load(
    batchOf(claimed, (key) => rows[key as 'a' | 'b'].map((row) => [...row])),
    originals,
    never,
  );
  expect(outcome.drops.map(({ key, state, counts }) => [key, state, counts])).toEqual([
    ['a', 'loaded', { rowsIn: 2, rowsOut: 2, filtered: 0, rejected: 0, known: 0 }],
    ['b', 'loaded', { rowsIn: 1, rowsOut: 1, filtered: 0, rejected: 0, known: 0 }],
  ]);
  expect(await db.query('select * from events order by id')).toEqual([
    { id: '1', name: 'x\t\\y', amount: '1.50' },
    { id: '2', name: null, amount: null },
    { id: '3', name: '', amount: '0' },
  ]);
  expect(await db.query('select key, state, rows_out from tidemark.load_drop order by key')).toEqual([
    { key: 'a', state: 'loaded', rows_out: '2' },
    { key: 'b', state: 'loaded', rows_out: '1' },
  ]);
  expect(await target.claim([drop('a'), drop('b'), drop('c')], never)).toMatchObject([{ key: 'c', attempt: 1 }]);
});

test('a drop with other content is loaded again, and noted', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url, { onConflict: 'update' }));
  const first = await target.claim([drop('a')], never);
  await target.load(
    batchOf(first, () => [
      [1, 'one', 1],
      [2, 'two', 2],
    ]),
    originals,
    never,
  );
  const second = await target.claim([drop('a', 'e2')], never);
  expect(second).toMatchObject([{ key: 'a', etag: 'e2', overwritten: true }]);
  const outcome = await target.load(
    batchOf(second, () => [
      [1, 'one', 1],
      [2, 'zwei', 2],
      [3, 'three', 3],
    ]),
    originals,
    never,
  );
  expect(outcome.drops).toMatchObject([{ overwritten: true, counts: { rowsOut: 3, known: 1 } }]);
  expect(await db.query('select name from events order by id')).toEqual([
    { name: 'one' },
    { name: 'zwei' },
    { name: 'three' },
  ]);
  expect(await db.query('select overwritten, rows_out, rows_known from tidemark.load_drop')).toEqual([
    { overwritten: 1, rows_out: '3', rows_known: '1' },
  ]);
});

test('within a batch the last row of a key wins under update, the first under nothing', async () => {
  for (const [onConflict, name] of [
    ['update', 'last'],
    ['nothing', 'first'],
  ] as const) {
    await using db = await createDatabase();
    await db.query(EVENTS);
    await using target = await openTarget(settingsOf(db.url, { onConflict }));
    const claimed = await target.claim([drop('a'), drop('b')], never);
    const rows = (key: string) =>
      key === 'a'
        ? [
            [1, 'first', 1],
            [1, 'second', 1],
          ]
        : [[1, 'last', 1]];
    const outcome = await target.load(batchOf(claimed, rows), originals, never);
    expect(await db.query('select name from events')).toEqual([{ name }]);
    expect(outcome.drops.reduce((sum, { counts }) => sum + counts.known, 0)).toBe(2);
  }
});

test('dead and vanished drops are written down; only content that changes brings a dead one back', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url));
  const [a, b] = await target.claim([drop('a'), drop('b')], never);
  await target.load(
    [
      { drop: a, number: 0, read: { state: 'dead', reason: 'gzip is cut' } },
      { drop: b, number: 1, read: { state: 'gone' } },
    ],
    originals,
    never,
  );
  expect(await db.query('select key, state, error from tidemark.load_drop order by key')).toEqual([
    { key: 'a', state: 'dead', error: 'gzip is cut' },
    { key: 'b', state: 'gone', error: null },
  ]);
  expect((await target.claim([drop('a'), drop('b')], never)).map(({ key }) => key)).toEqual(['b']);
  expect(await target.claim([drop('a', 'e2')], never)).toMatchObject([{ key: 'a', overwritten: false }]);
});

test('rows that the target refuses become rejects with its words and their text; the others load', async () => {
  await using db = await createDatabase();
  await db.query(`create table users (id int primary key); insert into users select generate_series(1, 10);
    create type mood as enum ('good', 'bad'); create domain small as int check (value < 100);
    create table events (id bigint primary key, name varchar(5) not null, amount numeric(6,2) check (amount > 0),
      user_id int references users, mood mood, small small, place point);
    create function no13() returns trigger language plpgsql as $$ begin if new.id = 13 then raise exception 'never 13'; end if; return new; end $$;
    create trigger t before insert on events for each row execute function no13()`);
  const names = ['id', 'name', 'amount', 'user_id', 'mood', 'small', 'place'];
  const types = ['bigint', 'varchar(9)', 'numeric', 'int', 'mood', 'small', 'text'];
  const columns = names.map((name, i) => ({ name, type: types[i], path: [name], required: false, default: undefined }));
  const bad: [number, (string | number | null)[], string][] = [
    [2, [2, 'toolong', 1, 1, 'good', 1, '(1,2)'], 'character varying(5)'],
    [3, [3, 'x', -1, 1, 'good', 1, '(1,2)'], 'events_amount_check'],
    [5, [5, 'x', 1, 99, 'good', 1, '(1,2)'], 'events_user_id_fkey'],
    [6, [6, 'x', 1, 1, 'ugly', 1, '(1,2)'], 'enum mood'],
    [8, [8, 'x', 1, 1, 'good', 100, '(1,2)'], 'small_check'],
    [9, [9, 'x', 1, 1, 'good', 1, 'nowhere'], 'point'],
    [10, [10, null, 1, 1, 'good', 1, '(1,2)'], 'null value in column'],
    [11, [11, 'x', '99999.5', 1, 'good', 1, '(1,2)'], 'numeric field overflow'],
    [13, [13, 'x', 1, 1, 'good', 1, '(1,2)'], 'never 13'],
  ];
  const byId = new Map(bad.map(([id, row]) => [id, row]));
  await using target = await openTarget(settingsOf(db.url, { columns }));
  const claimed = await target.claim([drop('a'), drop('b')], never);
  const good = (id: number) => byId.get(id) ?? [id, 'x', 1, 1, 'good', 1, '(1,2)'];
  const ids = (from: number) => Array.from({ length: 10 }, (_, i) => good(from + i));
  const outcome = await target.load(
    batchOf(claimed, (key) => ids(key === 'a' ? 1 : 11)),
    originals,
    never,
  );
  expect(outcome.drops.map(({ counts }) => [counts.rowsOut, counts.rejected, counts.known])).toEqual([
    [3, 7, 0],
    [8, 2, 0],
  ]);
  const found = await db.query<{ key: string; line: string; reason: string; text: string }>(
    'select key, line, reason, text from tidemark.load_reject',
  );
  const want = bad.map(([id]) => (id > 10 ? `b:${id - 10}` : `a:${id}`));
  expect(found.map(({ key, line }) => `${key}:${line}`).sort()).toEqual(want.toSorted());
  for (const { text, reason } of found) {
    const [id, , words] = bad[want.indexOf(text)];
    expect(`${id} ${reason}`).toContain(words);
  }
  const [{ n }] = await db.query('select count(*)::int as n from events');
  expect(n).toBe(11);
});
