import { expect, test } from 'vitest';
import { column } from '../support/load-settings.ts';
import { batchOf, drop, EVENTS, openTarget, originals, parsed, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

test('what the parser rejected is stored as it was, whatever its characters', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url));
  const [claimed] = await target.claim([drop('odd\tkey\\')], never);
  const rejects = [
    { line: 2, reason: 'is no JSON', column: null, text: 'a\tb\\nc\r\n"\\.' },
    { line: 3, reason: 'NUL', column: 'name', text: 'x\0y 😀 \ud800' },
  ];
  await target.load([{ drop: claimed, number: 0, read: parsed(0, [[1, 'x', 1]], { rejects }) }], originals, never);
  expect(
    await db.query('select key, etag, line, "column", reason, text from tidemark.load_reject order by line'),
  ).toEqual([
    { key: 'odd\tkey\\', etag: 'e1', line: '2', column: null, reason: 'is no JSON', text: 'a\tb\\nc\r\n"\\.' },
    { key: 'odd\tkey\\', etag: 'e1', line: '3', column: 'name', reason: 'NUL', text: 'x\\u0000y 😀 \ufffd' },
  ]);
});

test('a load with too many rejects stops; what was loaded stays, the batch does not go in', async () => {
  await using db = await createDatabase();
  await db.query(`${EVENTS}; alter table events add check (amount > 0)`);
  await using target = await openTarget(settingsOf(db.url, { rejectLimit: 0.05 }));
  const rows = (from: number, bad: number) => Array.from({ length: 600 }, (_, i) => [from + i, 'x', i < bad ? -1 : 1]);
  const load = async (key: string, from: number, bad: number) =>
    target.load(
      batchOf(await target.claim([drop(key)], never), () => rows(from, bad)),
      originals,
      never,
    );
  // Of 600 rows half may be bad: they are too few to say.
  await load('a', 0, 60);
  await expect(load('b', 1000, 1)).rejects.toMatchObject({
    code: 'LOAD_REJECTS',
    message: expect.stringMatching(/^61 of 1200 rows .* \(5%\); mostly: .*events_amount_check.* \(as in b, line 1\)$/),
  });
  expect(await db.query('select count(*)::int as n from events')).toEqual([{ n: 540 }]);
  expect(await db.query('select key, state from tidemark.load_drop order by key')).toEqual([
    { key: 'a', state: 'loaded' },
    { key: 'b', state: 'claimed' },
  ]);
});

test('rejects are replayed: what fits now is loaded and marked, the rest keeps its new reason', async () => {
  await using db = await createDatabase();
  await db.query(`${EVENTS}; insert into events values (7, 'there', 7)`);
  await using target = await openTarget(settingsOf(db.url));
  const rejects = [1, 2, 3, 4, 5].map((line) => ({ line, reason: 'was bad', column: null, text: `text ${line}` }));
  const [claimed] = await target.claim([drop('a')], never);
  await target.load([{ drop: claimed, number: 0, read: parsed(0, [], { rejects }) }], originals, never);
  const page = [...(await target.rejects('0', 3, never)), ...(await target.rejects('3', 10, never))];
  expect(page.map(({ key, line, text }) => [key, line, text])).toEqual(
    rejects.map(({ line, text }) => ['a', line, text]),
  );
  // Line 1 gives two rows, one of them known; 2 is refused by the target, 3 again by the parser, 4 filtered, 5 loaded.
  await db.query('alter table events add check (amount > 0)');
  const read = parsed(
    0,
    [
      [10, 'one', 1],
      [7, 'one', 1],
      [2, 'two', -1],
      [5, 'five', 5],
    ],
    {
      lines: [1, 1, 2, 5],
      rejects: [{ line: 3, reason: 'still bad', column: 'name', text: 'text 3' }],
    },
  );
  expect(await target.replay({ rejects: page, read }, never)).toEqual({
    rowsOut: 3,
    known: 1,
    filtered: 1,
    rejected: 2,
  });
  expect(await db.query('select id, name from events order by id')).toEqual([
    { id: '5', name: 'five' },
    { id: '7', name: 'there' },
    { id: '10', name: 'one' },
  ]);
  expect(
    await db.query(
      'select line, attempt, replayed_at is not null as done, reason from tidemark.load_reject order by line',
    ),
  ).toEqual([
    { line: '1', attempt: 1, done: true, reason: 'was bad' },
    { line: '2', attempt: 2, done: false, reason: expect.stringContaining('events_amount_check') },
    { line: '3', attempt: 2, done: false, reason: 'still bad' },
    { line: '4', attempt: 1, done: true, reason: 'was bad' },
    { line: '5', attempt: 1, done: true, reason: 'was bad' },
  ]);
  expect(
    await db.query('select rows_in, rows_out, rows_filtered, rows_rejected, rows_known from tidemark.load_drop'),
  ).toEqual([{ rows_in: '5', rows_out: '3', rows_filtered: '1', rows_rejected: '2', rows_known: '1' }]);
  expect((await target.rejects('0', 10, never)).map(({ line }) => line)).toEqual([2, 3]);
  // Another process came to the same page: nothing is counted twice.
  expect(await target.replay({ rejects: page.slice(0, 1), read: parsed(0, [[10, 'one', 1]]) }, never)).toEqual({
    rowsOut: 0,
    known: 0,
    filtered: 0,
    rejected: 0,
  });
});

test('once a constraint has refused rows, they are found before the INSERT', async () => {
  await using db = await createDatabase();
  await db.query(`create table users (id int primary key); insert into users values (1);
    create table events (id bigint primary key, user_id int references users deferrable initially deferred, nr varchar(3));
    create sequence inserts;
    create function counts() returns trigger language plpgsql as $$ begin perform nextval('inserts'); return null; end $$;
    create trigger t after insert on events for each statement execute function counts()`);
  const columns = [column('id', 'bigint'), column('user_id', 'int'), column('nr', 'text')];
  await using target = await openTarget(settingsOf(db.url, { columns }));
  const rows = (from: number) =>
    Array.from({ length: 200 }, (_, i) => [from + i, i % 50 === 7 ? 2 : 1, i % 50 === 9 ? 'long' : 'ok']);
  for (const [n, key] of ['a', 'b', 'c'].entries()) {
    const outcome = await target.load(
      batchOf(await target.claim([drop(key)], never), () => rows(n * 200)),
      originals,
      never,
    );
    expect(outcome.drops).toMatchObject([{ counts: { rowsOut: 192, rejected: 8, known: 0 } }]);
  }
  // An INSERT that fails at once reaches no trigger at its end; the foreign key's failure does.
  const [{ last_value }] = await db.query<{ last_value: string }>('select last_value from inserts');
  expect(Number(last_value)).toBeLessThanOrEqual(4);
});
