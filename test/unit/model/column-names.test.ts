import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ADDED_COLUMNS, lakeNames } from '../../../src/model/column-names.ts';

const names = (sources: string[], shadowed: string[] = []) =>
  lakeNames(sources, (source) => shadowed.includes(source)).map(({ name, shadow }) => shadow ?? name);

test.each([
  [
    ['id', 'total'],
    ['id', 'total'],
  ],
  [
    ['a b', 'c,d;e', '{x}', '(y)', 'n\nl', 't\tb', 'e=f'],
    ['a_b', 'c_d_e', '_x_', '_y_', 'n_l', 't_b', 'e_f'],
  ],
  [
    ['Name', 'name', 'NAME'],
    ['Name', 'name_2', 'NAME_3'],
  ],
  [
    ['a b', 'a_b'],
    ['a_b_2', 'a_b'],
  ],
  [
    ['a b', 'a_b', 'a_b_2'],
    ['a_b_3', 'a_b', 'a_b_2'],
  ],
  [
    ['_tidemark_run', '_Tidemark_Op', '_tidemark_at'],
    ['_tidemark_run_2', '_Tidemark_Op_2', '_tidemark_at_2'],
  ],
  [
    ['it.is', '"q"', '🏔', 'ÄÖ', 'äö'],
    ['it.is', '"q"', '🏔', 'ÄÖ', 'äö_2'],
  ],
])('%j become %j', (sources, expected) => {
  expect(names(sources)).toEqual(expected);
});

test('a shadow never takes the name of a column', () => {
  expect(names(['d', 'd__text'], ['d'])).toEqual(['d__text_2', 'd__text']);
  expect(names(['d', 'D__TEXT_2', 'd__text'], ['d'])).toEqual(['d__text_3', 'D__TEXT_2', 'd__text']);
});

test('whatever the columns are called, no two names are equal ignoring case, none is forbidden, and clean ones stay', () => {
  const part = fc.constantFrom('a', 'A', 'b', ' ', '_', '_2', '=', '__text', '_tidemark_run', 'ä', 'Ä');
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 12 }), fc.func(fc.boolean()), (sources, shadowed) => {
      const result = lakeNames(sources, shadowed);
      const all = [...result.flatMap(({ name, shadow }) => (shadow === null ? [name] : [name, shadow]))];
      const folded = [...all, ...Object.values(ADDED_COLUMNS)].map((n) => n.toLowerCase());
      expect(new Set(folded).size).toBe(folded.length);
      for (const n of all) expect(n).not.toMatch(/[ ,;{}()\n\t=]/);
      for (const [i, source] of sources.entries()) {
        expect(result[i].shadow !== null).toBe(shadowed(source));
        const alone = sources.filter((other) => other.toLowerCase() === source.toLowerCase()).length === 1;
        const clean = !/[ =]/.test(source) && !/_2|_tidemark_run/.test(source);
        if (alone && clean) expect(result[i].name).toBe(source);
      }
    }),
  );
});
