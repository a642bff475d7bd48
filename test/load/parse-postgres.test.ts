/** What the parser accepts, Postgres takes by COPY, and it is the value that was sent. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyIn } from '../../src/load/target/copy-in.ts';
import { column } from '../support/load-settings.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { read } from './parse-support.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createDatabase();
  await db.query(`set timezone = 'UTC'`);
});
afterAll(async () => db[Symbol.asyncDispose]());

const ROWS = 400;
const never = new AbortController().signal;

/** A JSON text and what Postgres would be given as text for it. */
type Sent = { json: string; text: string };
const sentText = (text: string): Sent => ({ json: JSON.stringify(text), text });
const sentNumber = (digits: string): Sent => ({ json: digits, text: digits });

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`));
const jsonNumber = fc
  .tuple(
    fc.constantFrom('', '-'),
    digits(25).map((d) => d.replace(/^0+(?=.)/, '')),
    fc.option(digits(20)),
    fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), digits(3))),
  )
  .map(([sign, whole, fraction, exponent]) =>
    sentNumber(`${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent ? exponent.join('') : ''}`),
  );
const two = (least: number, most: number) =>
  fc.integer({ min: least, max: most }).map((n) => String(n).padStart(2, '0'));
const day = fc
  .tuple(
    fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 400_000 })),
    two(0, 13),
    two(0, 32),
    fc.boolean(),
  )
  .map(([year, month, date, bc]) => [
    `${String(year).padStart(4, '0')}-${month}-${date}`,
    bc && year < 5000 ? ' BC' : '',
  ]);
const moment = fc
  .tuple(
    day,
    fc.constantFrom('T', ' ', 't'),
    two(0, 25),
    two(0, 61),
    fc.option(fc.tuple(two(0, 61), fc.constantFrom('', '.1', '.123456', '.999999', '.9999999', '.000', '.123456789'))),
    fc.constantFrom('', 'Z', 'z', '+02', '-0930', '+05:45', '+14:00', '-15:59', '+16', ' +01', '+01:61'),
  )
  .map(([[date, bc], separator, hour, minute, second, zone]) =>
    sentText(`${date}${separator}${hour}:${minute}${second ? `:${second.join('')}` : ''}${zone}${bc}`),
  );
const word = fc.constantFrom(
  ...[
    'true',
    'false',
    't',
    'F',
    'yes',
    'No',
    'on',
    'off',
    '1',
    '0',
    '',
    ' ',
    'nan',
    'NaN',
    'inf',
    '-Infinity',
    'now',
    'epoch',
    'today',
  ],
  ...[
    'infinity',
    '-infinity',
    '0x1F',
    '1_000',
    '+5',
    '-0',
    '1.',
    '.5',
    '1e',
    '٣',
    '2025-01-01',
    '20250101T101112Z',
    '2025-W01-1',
    'null',
  ],
  ...[
    '{1,2}',
    '{}',
    '[1]',
    '{"a":1}',
    '\\',
    '\\N',
    '\\.',
    '\t',
    'a\nb',
    '\u{1F600}',
    'é',
    '24:00:00',
    '2025-01-01T24:00:00Z',
    ' 42 ',
  ],
);
const uuid = fc
  .uuid()
  .chain((id) =>
    fc.constantFrom(id, id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, id.slice(1), `${id}0`, `{${id}`),
  );

/** One character more, less or another. */
const bent = (sent: fc.Arbitrary<Sent>): fc.Arbitrary<Sent> =>
  fc
    .tuple(sent, fc.nat(40), fc.nat(2), fc.constantFrom(...'0159-+:.eEZ TB{}"\\/ \t\u0001é'))
    .map(([{ text }, at, how, char]) => {
      const i = at % (text.length + 1);
      return sentText(text.slice(0, i) + (how === 0 ? '' : char) + text.slice(how === 1 ? i : i + 1));
    });

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 12 })).map(sentText);
const json = fc.json({ maxDepth: 3 }).map((text): Sent => ({ json: text, text }));
const anything = fc.oneof(
  jsonNumber,
  moment,
  bent(moment),
  bent(jsonNumber),
  word.map(sentText),
  uuid.map(sentText),
  anyText,
  json,
  fc.boolean().map((is): Sent => sentNumber(String(is))),
);

/** By type: what the oracle makes of the text. */
const TYPES: [type: string, oracle: string][] = [
  ['smallint', 'txt::numeric::smallint'],
  ['integer', 'txt::numeric::integer'],
  ['bigint', 'txt::numeric::bigint'],
  ['numeric', 'txt::numeric'],
  ['numeric(10,2)', 'txt::numeric(10,2)'],
  ['numeric(3,-2)', 'txt::numeric(3,-2)'],
  ['numeric(2,5)', 'txt::numeric(2,5)'],
  ['real', 'txt::real'],
  ['double precision', 'txt::double precision'],
  ['boolean', 'txt::boolean'],
  ['uuid', 'txt::uuid'],
  ['text', 'txt'],
  ['varchar(5)', 'txt::varchar(5)'],
  ['timestamptz', 'txt::timestamptz'],
  ['timestamp', 'txt::timestamp'],
  ['date', 'txt::timestamp::date'],
];

describe('whatever is sent, what is accepted is stored as it was sent', () => {
  test.each(TYPES)('%s', async (type, oracle) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { minLength: ROWS, maxLength: ROWS }), async (sent) => {
        const { accepted } = await stored(type, sent);
        const rows = [...accepted].map(([i, value]) => ({ i, txt: textOf(sent[i]), value }));
        const differ = await db.query(
          `select txt, value, (${oracle})::text as should from json_to_recordset($1) as t(i int, txt text, value text)
           where value is distinct from (${oracle})::text`,
          [JSON.stringify(rows)],
        );
        expect(differ).toEqual([]);
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  test.each(['json', 'jsonb'])('%s keeps digits, order and escapes as Postgres does', async (type) => {
    const wild = fc.oneof(
      json,
      jsonNumber,
      anyText,
      fc
        .constantFrom('{"a":1e999999}', '"\\ud800"', '[1.50, 1e5]', '{"a" : "\\u0000"}')
        .map((text): Sent => ({ json: text, text })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(wild, { minLength: ROWS, maxLength: ROWS }), async (sent) => {
        const { accepted } = await stored(type, sent);
        const rows = [...accepted].map(([i, value]) => ({ json: sent[i].json, value }));
        const differ = await db.query(
          `select json, value, json::${type}::text as should from json_to_recordset($1) as t(json text, value text)
           where value is distinct from nullif(json, 'null')::${type}::text`,
          [JSON.stringify(rows)],
        );
        expect(differ).toEqual([]);
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });

  test.each([
    ['bigint[]', fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String), fc.constant('null'))],
    [
      'text[]',
      fc
        .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'NULL', '"', '\\', '{', ',', ' ', 'a\tb\n\r'))
        .filter((text) => text.isWellFormed() && !text.includes('\0'))
        .map((text) => JSON.stringify(text)),
    ],
    ['boolean[]', fc.constantFrom('true', 'false', 'null')],
    ['jsonb[]', fc.json({ maxDepth: 1 }).filter((text) => !/\\u|null|^-0|[eE]/.test(text))],
  ])('%s', async (type, element) => {
    const list = fc.array(element, { maxLength: 5 }).map((all) => `[${all.join(',')}]`);
    await fc.assert(
      fc.asyncProperty(fc.array(list, { minLength: 100, maxLength: 100 }), async (lists) => {
        const { accepted } = await stored(
          type,
          lists.map((text) => ({ json: text, text })),
          'to_json(v)',
        );
        expect(accepted.size).toBe(lists.length);
        for (const [i, value] of accepted) expect(JSON.parse(value!)).toEqual(JSON.parse(lists[i]));
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});

describe('what is plainly right is accepted', () => {
  test.each([
    ['bigint', ['-9223372036854775808', '9223372036854775807', '1e3', '7.0', '"42"', '"+7"', '" 8 "', '0']],
    ['smallint', ['-32768', '32767', '"00032767"']],
    [
      'numeric',
      [
        '123456789012345678901234567890.123456789',
        '10.50',
        '"1.5e10"',
        '1e-20',
        '"NaN"',
        '"-Infinity"',
        '".5"',
        '"5."',
      ],
    ],
    ['numeric(5,2)', ['999.994', '-999.99', '"999.99"', '1e2', '0.001', '0', '0e9']],
    ['double precision', ['1.7976931348623157e308', '5e-324', '"NaN"', '"inf"', '0.0', '1']],
    ['real', ['3.4028235e38', '1e-45', '0.1']],
    ['boolean', ['true', 'false', '"t"', '"FALSE"', '"yes"', '"0"']],
    ['uuid', ['"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', '"{a0eebc999c0b4ef8bb6d6bb9bd380a11}"']],
    [
      'timestamptz',
      [
        '"2025-04-19T10:00:00Z"',
        '"2025-04-19T10:00:00.123456789+02:00"',
        '"2025-04-19 10:00"',
        '"2024-02-29"',
        '"20250419T100000Z"',
        '"infinity"',
      ],
    ],
    ['timestamp', ['"2025-04-19T10:00:00.5Z"', '"2025-04-19T10:00:00+00:00"', '"2025-04-19"', '"9999-12-31 24:00:00"']],
    ['date', ['"2025-04-19"', '"20250419"', '"2025-04-19T00:00:00Z"', '"0044-03-15 BC"']],
    ['text', ['"a\\tb\\n\\\\N"', '5.50', 'true', '{"a": [1]}', '"\\ud83d\\ude00"', '""']],
    ['varchar(2)', ['"\\ud83d\\ude00é"', '""', '12']],
  ])('%s', async (type, values) => {
    const { accepted, rejects } = await stored(
      type,
      values.map((json) => ({ json, text: json })),
    );
    expect(rejects).toEqual([]);
    expect(accepted.size).toBe(values.length);
  });
});

describe('what would be changed or refused is a reject with its reason', () => {
  test.each([
    ['bigint', '9223372036854775808', 'out of the range of bigint'],
    ['bigint', '1.5', 'no whole number'],
    ['bigint', '"1.0"', 'no whole number'],
    ['integer', 'true', 'a boolean is no whole number'],
    ['integer', '""', 'no whole number'],
    ['numeric(5,2)', '999.995', 'does not fit into numeric(5,2)'],
    ['numeric(5,2)', '"Infinity"', 'Infinity does not fit into numeric(5,2)'],
    ['numeric', '1e200000', 'does not fit into numeric'],
    ['double precision', '1e309', 'out of the range of double precision'],
    ['double precision', '1e-400', 'out of the range of double precision'],
    ['real', '1e39', 'out of the range of real'],
    ['boolean', '1', 'a number is no boolean'],
    ['uuid', '"a0eebc99"', 'no uuid'],
    ['timestamptz', '1745056800', 'a number is no time'],
    ['timestamptz', '"2025-02-29T00:00:00Z"', 'no day of the calendar'],
    ['timestamptz', '"2025-04-19T25:00:00Z"', 'no time of the day'],
    ['timestamptz', '"tomorrow"', 'no time in ISO 8601'],
    ['timestamp', '"2025-04-19T10:00:00+02:00"', 'has an offset'],
    ['date', '"2025-04-19T10:00:00Z"', 'has a time'],
    ['varchar(2)', '"abc"', '3 characters are more than 2'],
    ['text', '"\\u0000"', 'NUL'],
    ['text', '"\\ud800"', 'surrogate'],
    ['jsonb', '{"a":["\\u0000"]}', 'NUL'],
    ['jsonb', '"\\udc00"', 'surrogate'],
    ['integer[]', '[1,[2]]', 'mixed'],
    ['integer[]', '[[1],[2,3]]', 'different lengths'],
    ['integer[]', '[1,"x"]', 'no whole number'],
    ['integer[]', '{}', 'an object is no array'],
  ])('%s: %s', async (type, json, reason) => {
    const { rejects } = await stored(type, [{ json, text: json }]);
    expect(rejects).toEqual([expect.stringContaining(reason)]);
  });
});

/** Reads a drop of these values, copies what was accepted and selects it again. */
async function stored(type: string, sent: Sent[], select = 'v::text') {
  const drop = sent.map(({ json }, i) => `{"i":${i},"v":${json}}`).join('\n');
  const { dead, copy, rejects, counts } = await read(drop, { columns: [column('i', 'integer'), column('v', type)] });
  expect(dead).toBeNull();
  expect(counts.rowsOut + counts.rejected).toBe(sent.length);
  await db.query(`create temp table loaded (number int, line int, i int, v ${type})`);
  try {
    await copyIn(db.client, 'copy loaded from stdin', [copy], never);
    const rows = await db.query<{ i: number; line: number; value: string | null }>(
      `select i, line, (${select})::text as value from loaded`,
    );
    expect(rows.length).toBe(counts.rowsOut);
    for (const { i, line } of rows) expect(line).toBe(i + 1);
    return { accepted: new Map(rows.map(({ i, value }) => [i, value])), rejects };
  } finally {
    await db.query('drop table loaded');
  }
}

/** JSON's null is SQL's. */
function textOf({ json, text }: Sent): string | null {
  if (json.trim() === 'null') return null;
  // What fast-check wrote as JSON.
  return json === text && json.trimStart().startsWith('"') ? (JSON.parse(json) as string) : text;
}
