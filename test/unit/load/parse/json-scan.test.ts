/** The scanner against JSON.parse. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonScanner } from '../../../../src/load/parse/json-scan.ts';
import { Unescaped } from '../../../../src/load/parse/json-text.ts';
import { ABSENT, ESCAPED, NULL, STRING } from '../../../../src/load/parse/value.ts';

/** JSON, and JSON with one byte more, less or another. */
const text = fc
  .tuple(
    fc.json({ maxDepth: 4 }),
    fc.boolean(),
    fc.nat(200),
    fc.constantFrom(0, 1),
    fc.constantFrom(...'{}[]:,"\\/ \n\t\u0001u0019.eE+-tfn\u00e9'),
  )
  .map(([json, bend, at, drop, char]) => {
    const i = at % (json.length + 1);
    return bend ? json.slice(0, i) + char + json.slice(i + drop) : json;
  })
  .filter((json) => json.isWellFormed());

test('accepts exactly what JSON.parse accepts', () => {
  fc.assert(
    fc.property(text, (json) => {
      const bytes = Buffer.from(`xx${json}yy`);
      const problem = new JsonScanner([]).scan(bytes, 2, bytes.length - 2);
      expect(problem === null, `${json}: ${problem}`).toBe(parses(json));
    }),
    { numRuns: 3_000 },
  );
});

test('a text cut anywhere is broken, whatever follows it', () => {
  const json = '{"a":[1.5e+3,true,null,"\\u00e9\\n"],"b":{"c":-0}}';
  for (let length = 0; length < json.length; length++) {
    const bytes = Buffer.from(json);
    expect(new JsonScanner([['a']]).scan(bytes, 0, length), json.slice(0, length)).toMatch(/^broken JSON/);
  }
});

test('finds what JSON.parse would give, at every path, with keys that come twice', () => {
  const key = fc.constantFrom('a', 'b', 'c', '', 'é', '"', '__proto__');
  const tree = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('1', '"x"', 'null', 'true', '"\\u0061"'),
      tie('object'),
      tie('array'),
    ),
    object: fc
      .array(fc.tuple(key, fc.boolean(), tie('value')), { maxLength: 4 })
      .map(
        (members) => `{${members.map(([name, escaped, value]) => `${written(name, escaped)} : ${value}`).join(' ,')}}`,
      ),
    array: fc.array(tie('value'), { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
  }));
  const paths = fc.array(fc.array(fc.oneof(key, fc.nat(2)), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(tree.object, paths, (object, wanted) => {
      const json = object as string;
      const bytes = Buffer.from(json);
      const scanner = new JsonScanner(wanted);
      expect(scanner.scan(bytes, 0, bytes.length)).toBeNull();
      wanted.forEach((path, i) => {
        expect(valueIn(scanner, scanner.slots[i], bytes), `${json} ${JSON.stringify(path)}`).toEqual(
          at(JSON.parse(json), path),
        );
      });
    }),
    { numRuns: 2_000 },
  );
});

test('a text without its escapes is what JSON.parse makes of it', () => {
  const unescaped = new Unescaped();
  const char = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom('"', '\\', '\n', '\u{1F600}'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(char, fc.boolean())), (chars) => {
      const json = `"${chars.map(([c, escaped]) => (escaped ? unicode(c) : JSON.stringify(c).slice(1, -1))).join('')}"`;
      const bytes = Buffer.from(json);
      const complaint = unescaped.read(bytes, 1, bytes.length - 1);
      const should = JSON.parse(json) as string;
      expect(complaint === null).toBe(should.isWellFormed() && !should.includes('\0'));
      if (complaint === null)
        expect(Buffer.from(unescaped.bytes.subarray(0, unescaped.length)).toString()).toBe(should);
    }),
    { numRuns: 2_000 },
  );
});

describe('nesting', () => {
  test('of a thousand is read, of more is broken rather than the end of the thread', () => {
    const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
    expect(new JsonScanner([]).scan(nested(1_000), 0, 2_000)).toBeNull();
    expect(new JsonScanner([]).scan(nested(1_000_000), 0, 2_000_000)).toContain('nested deeper than 1000');
  });
});

function parses(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

function written(name: string, escaped: boolean): string {
  return escaped ? `"${unicode(name)}"` : JSON.stringify(name);
}

function unicode(text: string): string {
  return text.replace(/./gs, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function valueIn(scanner: JsonScanner, slot: number, bytes: Buffer): unknown {
  const kind = scanner.kinds[slot];
  if (kind === ABSENT) return undefined;
  if (kind === NULL) return null;
  const quotes = kind === STRING || kind === ESCAPED ? 1 : 0;
  return JSON.parse(bytes.toString('utf8', scanner.starts[slot] - quotes, scanner.ends[slot] + quotes));
}

function at(value: unknown, path: (string | number)[]): unknown {
  return path.reduce<unknown>((within, step) => {
    const list = Array.isArray(within);
    if (typeof within !== 'object' || within === null || list !== (typeof step === 'number')) return undefined;
    return Object.hasOwn(within, step) ? (within as Record<string | number, unknown>)[step] : undefined;
  }, value);
}
