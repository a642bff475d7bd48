import { describe, expect, test } from 'vitest';
import { dayAt, daysOfWindow, parseDays } from '../../../src/load/days.ts';
import { globsOf, parseFrom } from '../../../src/load/place.ts';

describe('the place of the drops', () => {
  test('a bucket and a pattern of keys', () => {
    expect(parseFrom('s3://bucket/raw/{yyyy}/*.gz', '/base')).toEqual({
      kind: 's3',
      bucket: 'bucket',
      pattern: 'raw/{yyyy}/*.gz',
      dated: true,
    });
    expect(parseFrom('s3://bucket', '/base')).toMatchObject({ bucket: 'bucket', pattern: '' });
  });

  test('a folder, relative to the configuration, and what is below it', () => {
    expect(parseFrom('file:./drops/a/*.gz', '/base')).toMatchObject({ root: '/base/drops/a', pattern: '*.gz' });
    expect(parseFrom('file:../drops/{yyyy}-{mm}/x', '/base')).toMatchObject({
      root: '/drops',
      pattern: '{yyyy}-{mm}/x',
    });
    expect(parseFrom('file:///drops/', '/base')).toMatchObject({ root: '/drops', pattern: '' });
    expect(parseFrom('file:/drops/x.gz', '/base')).toMatchObject({ root: '/drops', pattern: 'x.gz' });
    expect(parseFrom('file:..', '/base/a')).toMatchObject({ root: '/base', pattern: '' });
    expect(parseFrom('file:**', '/base')).toMatchObject({ root: '/base', pattern: '**' });
  });

  test('what cannot be read', () => {
    for (const bad of [
      'drops/',
      'file:',
      'file://host/x',
      's3:///x',
      's3://b/x',
      'file:./a*/../b',
      's3://bucket/{hh}/x',
    ])
      expect(() => parseFrom(bad, '/base'), bad).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  test('days with the same beginning are one listing', () => {
    const days = ['2026-11-30', '2026-12-01'];
    expect(globsOf(parseFrom('s3://bucket/x/{yyyy}-{mm}-{dd}/*', '/'), days).map(({ prefix }) => prefix)).toEqual([
      'x/2026-11-30/',
      'x/2026-12-01/',
    ]);
    const [group, ...others] = globsOf(parseFrom('s3://bucket/*/{dd}/x*', '/'), days);
    expect(others).toEqual([]);
    expect(['a/30/x1', 'a/01/x', 'a/29/x'].filter((key) => group.globs.some(({ matches }) => matches(key)))).toEqual([
      'a/30/x1',
      'a/01/x',
    ]);
    expect(globsOf(parseFrom('s3://bucket/{yyyy}/*', '/'), days)).toHaveLength(1);
  });
});

describe('days', () => {
  test('are those of the time zone', () => {
    const at = Date.parse('2026-11-21T23:30:00Z');
    expect(dayAt(at, 'UTC')).toBe('2026-11-21');
    expect(dayAt(at, 'Europe/Berlin')).toBe('2026-11-22');
    expect(dayAt(at, 'America/New_York')).toBe('2026-11-21');
  });

  test('a window is every day that it touches', () => {
    const at = Date.parse('2026-03-01T10:00:00Z');
    expect(daysOfWindow(at, 86_400_000, 'UTC')).toEqual(['2026-02-28', '2026-03-01']);
    expect(daysOfWindow(at, 3_600_000, 'UTC')).toEqual(['2026-03-01']);
  });

  test('as typed: one, or from one to another', () => {
    expect(parseDays('2026-02-28..2026-03-01')).toEqual(['2026-02-28', '2026-03-01']);
    expect(parseDays('2026-02-28')).toEqual(['2026-02-28']);
    for (const bad of ['yesterday', '2026-02-30', '2026-03-02..2026-03-01', '2026-3-1', '2026-03-01..'])
      expect(() => parseDays(bad), bad).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
