/** Formats: which rows, on which lines, and what becomes of what cannot be read. */

import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column } from '../support/load-settings.ts';
import { read } from './parse-support.ts';

const A = { columns: [column('a', 'integer'), column('b', 'text')] };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parse-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('JSON lines', () => {
  test('lines end in \\n or \\r\\n, the last one may not; blank ones are passed over and counted as lines', async () => {
    const { rows, counts } = await read('{"a":1}\r\n\n \t\r\n{"a":2}\n\r\n{"a":3}', A);
    expect(rows).toEqual([
      [1, '1', null],
      [4, '2', null],
      [6, '3', null],
    ]);
    expect(counts).toEqual({ rowsIn: 3, rowsOut: 3, filtered: 0, rejected: 0 });
  });

  test('a bad line anywhere costs itself alone', async () => {
    const bad = [
      '{',
      '{"a":1',
      '{"a":"x"}',
      '[]',
      '7',
      '{"a":1}}',
      '\u0000',
      '{"a":1,}',
      '"',
      '{"a":2147483648}',
      "{'a':1}",
      'null',
    ];
    for (const line of bad) {
      for (const place of [0, 1, 2]) {
        const lines = ['{"a":1}', '{"a":2}'];
        lines.splice(place, 0, line);
        const { rows, rejects, texts, counts } = await read(lines.join('\n'), A);
        expect(rows.map(([at, a]) => [at, a])).toEqual([1, 2].map((a, i) => [i >= place ? a + 1 : a, String(a)]));
        expect(rejects).toEqual([expect.stringMatching(new RegExp(`^${place + 1}: .`))]);
        expect(texts).toEqual([line.replace('\0', '\ufffd')]);
        expect(counts).toEqual({ rowsIn: 3, rowsOut: 2, filtered: 0, rejected: 1 });
      }
    }
  });

  test('a line that is not UTF-8 is a reject; a mark before the first line is none of it', async () => {
    const lines = Buffer.concat([
      Buffer.from('\ufeff{"a":1,"b":"é"}\n{"b":"'),
      Buffer.from([0xe9, 0xff]),
      Buffer.from('"}\n{"a":3}\n'),
    ]);
    const { rows, rejects, texts } = await read(lines, A);
    expect(rows).toEqual([
      [1, '1', 'é'],
      [3, '3', null],
    ]);
    expect(rejects).toEqual(['2: not UTF-8']);
    expect(texts).toEqual(['{"b":"\ufffd\ufffd"}']);
  });

  test('UTF-16 is dead', async () => {
    expect((await read(Buffer.from('\ufeff{"a":1}', 'utf16le'), A)).dead).toBe('UTF-16, not UTF-8');
  });

  test('values come from their paths; null and nothing take the default, or make a reject where required', async () => {
    const columns = [
      column('id', 'bigint', { path: ['user', 'id'], required: true }),
      column('tag', 'text', { path: ['tags', 1] }),
      column('amount', 'numeric', { default: 0 }),
    ];
    const { rows, rejects } = await read(
      '{"user":{"id":9007199254740993},"tags":["x","y"],"amount":null}\n{"user":{"id":null}}\n{"user":[1]}\n{"user":{"id":5},"amount":1.50}',
      { columns },
    );
    expect(rows).toEqual([
      [1, '9007199254740993', 'y', '0'],
      [4, '5', null, '1.50'],
    ]);
    expect(rejects).toEqual(['2: id: is required and has no value', '3: id: is required and has no value']);
  });

  test('in blocks it is what it is at once', async () => {
    const line = fc.oneof(
      fc.constantFrom('', '\r', ' ', '{"a":', '{"a":"x"}', '{"b":"é😀"}', '{"a":1}\r'),
      fc.integer({ min: 1, max: 40_000 }).map((n) => `{"b":"${'ü'.repeat(n)}"}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 300, maxLength: 400, size: 'max' }), async (lines) => {
        // Larger than what is read at once from a file.
        const path = join(folder, 'many.jsonl');
        writeFileSync(path, lines.join('\n'));
        const inBlocks = await read({ path }, A, path);
        const atOnce = await read(lines.join('\n'), A);
        expect(inBlocks.copy.equals(atOnce.copy)).toBe(true);
        expect(inBlocks.rejects).toEqual(atOnce.rejects);
        expect(inBlocks.counts).toEqual(atOnce.counts);
        const numbers = lines.map((text, i) => [text.trim(), i + 1] as const);
        expect(inBlocks.rows.map(([at]) => at)).toEqual(
          numbers.filter(([text]) => /^\{"(b":|a":1)/.test(text)).map(([, at]) => at),
        );
      }),
      { numRuns: 6, endOnFailure: true },
    );
  });
});

describe('a JSON array', () => {
  test('gives its elements, each on the line it begins on', async () => {
    const { rows, rejects, texts } = await read(' [\n{"a":1,\n"b":"x"}, {"a":2},\n\n 5,\n{"a":3}\n]\n', A, 'a.json');
    expect(rows).toEqual([
      [2, '1', 'x'],
      [3, '2', null],
      [6, '3', null],
    ]);
    expect(rejects).toEqual(['5: no JSON object']);
    expect(texts).toEqual(['5']);
  });

  test('that is empty has no rows', async () => {
    expect(await read('[ ]', A, 'a.json')).toMatchObject({ dead: null, rows: [] });
  });

  test('that is broken anywhere is dead: it is no half drop', async () => {
    const text = '[{"a":1},{"a":-2.5e1}]';
    for (let length = 1; length < text.length; length++) {
      expect((await read(text.slice(0, length), A, 'a.json')).dead, text.slice(0, length)).toMatch(
        /^line 1: broken JSON/,
      );
    }
    for (const broken of ['[{"a":1}{"a":2}]', '[{"a":1},]', '[,]', '[{"a":1}]x', '[[}]']) {
      expect((await read(broken, A, 'a.json')).dead, broken).toMatch(/^line 1: broken JSON/);
    }
  });

  test('larger than a block is what it is at once', async () => {
    const elements = Array.from({ length: 9_000 }, (_, i) =>
      JSON.stringify({ a: i, b: 'é'.repeat(i % 700) }, null, i % 3),
    );
    const text = `[${elements.join(' ,\n')}]`;
    const path = join(folder, 'large.json');
    writeFileSync(path, text);
    const { rows } = await read({ path }, A, path);
    expect(rows.map(([, a]) => Number(a))).toEqual(elements.map((_, i) => i));
    expect(rows).toEqual((await read(text, A, 'a.json')).rows);
    writeFileSync(path, text.slice(0, -1));
    expect((await read({ path }, A, path)).dead).toMatch(/it ends within the array/);
  });

  test('a number at the end of a block goes on in the next one', async () => {
    const path = join(folder, 'numbers.json');
    writeFileSync(path, `[${Array.from({ length: 400_000 }, () => '12345678901').join(',')}]`);
    const { dead, counts } = await read({ path }, A, path);
    expect(dead).toBeNull();
    expect(counts).toMatchObject({ rowsIn: 400_000, rejected: 400_000 });
  });

  test('a .json that is no array is an object, or lines', async () => {
    expect((await read('{"a":1,\n "b":"x"}\n', A, 'a.json')).rows).toEqual([[1, '1', 'x']]);
    expect((await read('{"a":1}\n{"a":2}\n', A, 'a.json')).rows.map(([, a]) => a)).toEqual(['1', '2']);
  });
});

describe('CSV', () => {
  const csv = (text: string, more = A) => read(text, more, 'a.csv');

  test('columns by the header, in any order; an empty field is no value, a quoted one is an empty text', async () => {
    const { rows } = await csv('b,other,a\r\nx,1,1\r\n"",2,2\r\n,3,\r\n"c, ""d""\r\ne",4,4');
    expect(rows).toEqual([
      [2, '1', 'x'],
      [3, '2', ''],
      [4, null, null],
      [5, '4', 'c, "d"\\r\\ne'],
    ]);
  });

  test.each([';', '\t', '|'])('the delimiter may be %j', async (delimiter) => {
    expect((await csv(`${['a', 'b,c', 'b'].join(delimiter)}\n${['1', 'x,y', 'z'].join(delimiter)}`)).rows).toEqual([
      [2, '1', 'z'],
    ]);
  });

  test('a bad record costs no other, not even one that its quote would swallow', async () => {
    const { rows, rejects, texts } = await csv('a,b\n1,x\n2,"open\n3,"y"\n4,z,5\n6\nq,w\n7,"x"y\n8,v\n9,"\n');
    expect(rows.map(([line, a]) => [line, a])).toEqual([
      [2, '1'],
      [4, '3'],
      [9, '8'],
    ]);
    expect(rejects).toEqual([
      '3: something follows a closing quote',
      '5: 3 fields, the header has 2',
      '6: 1 fields, the header has 2',
      "7: a: 'q' is no whole number",
      '8: something follows a closing quote',
      '10: a quote is never closed',
    ]);
    expect(texts[3]).toBe('a,b\nq,w');
  });

  test('what a reject shows is a drop of its own', async () => {
    const { texts } = await csv('b,a\n"x\ny",n\n');
    expect(texts).toEqual(['b,a\n"x\ny",n']);
    expect((await csv(texts[0].replace(',n', ',1'))).rows).toEqual([[2, '1', 'x\\ny']]);
  });

  test('without a header, without a required column, with a column twice it is dead', async () => {
    expect((await csv('')).dead).toBe('no header: the drop is empty');
    expect((await csv('x,y\n1,2', { columns: [column('a', 'integer', { required: true })] })).dead).toBe(
      'the header lacks what a requires',
    );
    expect((await csv('a,a\n1,2')).dead).toBe('the header has a twice');
  });

  test('a field is not UTF-8, or holds NUL: a reject', async () => {
    const { rejects, rows } = await csv(Buffer.from('a,b\n1,\xe9\n2,x\0\n3,y\n', 'latin1') as unknown as string);
    expect(rejects).toEqual(['2: not UTF-8', '3: holds a NUL character, which Postgres cannot store']);
    expect(rows).toEqual([[4, '3', 'y']]);
  });

  test('in blocks it is what it is at once: random fields, quoted where they need it', async () => {
    const field = fc.oneof(
      fc.stringMatching(/^[ab,"\n\r;é]{0,6}$/),
      fc.nat(9_000).map((n) => 'ü\n"'.repeat(n / 3)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(field, { minLength: 2_000, maxLength: 2_500, size: 'max' }), async (fields) => {
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const text = `a,b\n${fields.map((b, i) => `${i},${quoted(b)}`).join('\r\n')}`;
        const path = join(folder, 'many.csv');
        writeFileSync(path, text);
        const { rows } = await read({ path }, A, path);
        expect(rows.map(([, , b]) => b)).toEqual(fields.map((b) => b.replaceAll('\n', '\\n').replaceAll('\r', '\\r')));
        expect(rows).toEqual((await csv(text)).rows);
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });
});

test('a drop that is gone is no dead drop', async () => {
  expect((await read({ path: join(folder, 'none.jsonl') }, A)).dead).toBe('gone');
});
