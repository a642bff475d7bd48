import { describe, expect, test } from 'vitest';
import { compileGlob } from '../../../src/load/glob.ts';

const matches = (pattern: string, ...names: string[]) => names.filter(compileGlob(pattern).matches);

describe('patterns of names', () => {
  test('a star stays within its part', () => {
    expect(matches('a/*.gz', 'a/x.gz', 'a/.gz', 'a/b/x.gz', 'a/x.gz.tmp', 'b/x.gz')).toEqual(['a/x.gz']);
  });

  test('two stars go over any number of parts, none too', () => {
    expect(matches('a/**/*.gz', 'a/x.gz', 'a/b/x.gz', 'a/b/c/x.gz', 'x.gz')).toEqual([
      'a/x.gz',
      'a/b/x.gz',
      'a/b/c/x.gz',
    ]);
    expect(matches('**', 'x', 'a/x', 'a/b/x')).toEqual(['x', 'a/x', 'a/b/x']);
    expect(matches('a/**', 'a', 'a/x', 'a/b/x')).toEqual(['a/x', 'a/b/x']);
  });

  test('hidden names and those with an underscore are matched by no wildcard, but by themselves', () => {
    expect(matches('**', '.x', '_SUCCESS', '_temporary/x', 'a/.b/x', 'a/_x', 'a/x')).toEqual(['a/x']);
    expect(matches('*', '_x', 'x_', '.x')).toEqual(['x_']);
    expect(matches('?x', '_x', 'ax')).toEqual(['ax']);
    expect(matches('[._a]x', '_x', '.x', 'ax')).toEqual(['ax']);
    expect(matches('{*,b}x', '_x', 'ax')).toEqual(['ax']);
    expect(matches('_in/*', '_in/x', '_in/_x')).toEqual(['_in/x']);
  });

  test('sets, their opposites, choices', () => {
    expect(matches('[a-c]', 'a', 'c', 'd', '-')).toEqual(['a', 'c']);
    expect(matches('x[!a-c]', 'xa', 'xd', 'x/')).toEqual(['xd']);
    expect(matches('x[]^]', 'x]', 'x^', 'xa')).toEqual(['x]', 'x^']);
    expect(matches('*.{json,csv}.gz', 'a.json.gz', 'a.csv.gz', 'a.xml.gz')).toEqual(['a.json.gz', 'a.csv.gz']);
  });

  test('what else stands there is meant as it is', () => {
    const odd = 'a.b+c(d)|e^f$g\\h}i]j-k é😀';
    expect(matches(odd, odd, 'aXb+c(d)|e^f$g\\h}i]j-k é😀')).toEqual([odd]);
    expect(matches('?', '😀')).toEqual(['😀']);
    expect(matches('a*b', 'a\nb')).toEqual(['a\nb']);
  });

  test('a pattern that ends without a wildcard also means what lies below it', () => {
    expect(matches('raw/day', 'raw/day', 'raw/day/x', 'raw/day/b/x', 'raw/day2', 'raw/day/_x')).toEqual([
      'raw/day',
      'raw/day/x',
      'raw/day/b/x',
    ]);
    expect(matches('raw/', 'raw/x', 'raw/a/x')).toEqual(['raw/x', 'raw/a/x']);
    expect(matches('', 'x', 'a/x')).toEqual(['x', 'a/x']);
    expect(matches('raw/*.gz', 'raw/x.gz/y')).toEqual([]);
  });

  test('the prefix is what a listing can ask for, the depth where a walk may stop', () => {
    expect(compileGlob('raw/day=*/x-*.gz')).toMatchObject({ prefix: 'raw/day=', depth: 3 });
    expect(compileGlob('raw/x.gz')).toMatchObject({ prefix: 'raw/x.gz', depth: Number.POSITIVE_INFINITY });
    expect(compileGlob('a/**/x*').depth).toBe(Number.POSITIVE_INFINITY);
    expect(compileGlob('{a/b,c}*').depth).toBe(Number.POSITIVE_INFINITY);
  });

  test('what has no end or is unknown is refused', () => {
    for (const bad of ['[a', '{a,b', '{hh}', '[]'])
      expect(() => compileGlob(bad), bad).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
