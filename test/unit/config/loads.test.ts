/** Entries of `loads:` as the program sees them. */

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load-config.ts';
import { parseRowPath } from '../../../src/config/row-path.ts';

const HEAD = `source: { url: "postgres://h/d" }
lake: s3://lake
s3: { region: eu-west-1, force_path_style: true }
`;

const parse = (loads: string) =>
  parseConfig(HEAD + loads, { file: '/etc/tidemark/t.yaml', shown: 't.yaml', env: {} }).loads;

const entry = (more = '', columns = '{ id: { type: uuid, required: true } }') => `loads:
  - load: events
    from: file:./drops/**
    into: events
    target: postgres://h/d
    key: id
    columns: ${columns}
${more}`;

describe('a load', () => {
  test('defaults', () => {
    expect(parse(entry())).toEqual([
      {
        name: 'events',
        from: 'file:./drops/**',
        baseDir: '/etc/tidemark',
        s3: { region: 'eu-west-1', force_path_style: true },
        windowMs: null,
        afterMs: null,
        budget: { slower: 4, lagMs: 30_000, lockWaits: 5 },
        timezone: 'UTC',
        into: { schema: 'public', table: 'events' },
        target: { url: 'postgres://h/d', caFile: null, awsRegion: 'eu-west-1' },
        key: ['id'],
        columns: [{ name: 'id', type: 'uuid', path: ['id'], required: true, default: undefined }],
        keep: [],
        transform: null,
        onConflict: 'nothing',
        format: null,
        limits: { lineBytes: 16 * 2 ** 20, inflatedBytes: 2 ** 30, ratio: 200 },
        rejectLimit: null,
        connections: 8,
        ledgerSchema: 'tidemark',
      },
    ]);
  });

  test('what is written', () => {
    const columns = `
      id: { type: uuid }
      user: { type: bigint, from: "$.user['the id'][0]", default: 0 }
      note: { type: text, default: null }`;
    const more = `    s3: { region: us-east-1 }
    window: 3d
    transform: ./transforms/events.ts
    keep: { user: [1, 2], kind: click, $.a.b: { gte: 1, not: [5] } }
    limits: { line: 1kB }
    reject_limit: 5%
state: { schema: other }
`;
    const [load] = parse(entry(more, columns).replace('into: events', 'into: app."Odd.Name"'));
    expect(load).toMatchObject({
      s3: { region: 'us-east-1', force_path_style: true },
      windowMs: 3 * 86_400_000,
      afterMs: null,
      budget: { slower: 4, lagMs: 30_000, lockWaits: 5 },
      into: { schema: 'app', table: 'Odd.Name' },
      transform: '/etc/tidemark/transforms/events.ts',
      limits: { lineBytes: 1024, ratio: 200 },
      rejectLimit: 0.05,
      ledgerSchema: 'other',
    });
    expect(load.columns.map(({ path, default: value }) => [path, value])).toEqual([
      [['id'], undefined],
      [['user', 'the id', 0], 0],
      [['note'], null],
    ]);
    // By the column's name where there is one, else from the row.
    expect(load.keep).toEqual([
      { path: ['user', 'the id', 0], is: { in: [1, 2] } },
      { path: ['kind'], is: { in: ['click'] } },
      { path: ['a', 'b'], is: { gte: 1, not: [5] } },
    ]);
  });

  test.each([
    ['from: file:./drops/**', 'from: drops', 't.yaml:6:11'],
    ['from: file:./drops/**', 'from: file:./{hh}/**', 'knows no {hh}'],
    ['into: events', 'into: public.*', 't.yaml:7:11'],
    ['target: postgres://h/d', 'target: mysql://h/d', 't.yaml:8:13'],
    ['key: id', 'key: [id, day]', 'column day is not among'],
    ['required: true', 'from: $.a..b', 't.yaml:10:40'],
  ])('%s against %s is refused where it stands', (good, bad, words) => {
    expect(() => parse(entry().replace(good, bad))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(words) }),
    );
  });

  test('two of one name are refused', () => {
    const twice = entry() + entry().slice('loads:\n'.length);
    expect(() => parse(twice)).toThrow(/t\.yaml:11:11: two loads have this name/);
  });
});

describe('a path into a row', () => {
  test.each<[string, (string | number)[]]>([
    ['$', []],
    ['$.user.id', ['user', 'id']],
    ['$[0].x[12]', [0, 'x', 12]],
    [`$['a.b']["c'd"]['e\\'f']`, ['a.b', "c'd", "e'f"]],
    ['$.über.$x-y', ['über', '$x-y']],
    ['user.id', ['user.id']],
  ])('%s', (text, path) => {
    expect(parseRowPath(text)).toEqual(path);
  });

  test.each(['$user', '$.', '$.a..b', '$[x]', "$['a", '$.a b'])('%s is none', (text) => {
    expect(() => parseRowPath(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
