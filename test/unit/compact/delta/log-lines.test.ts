import { expect, test } from 'vitest';
import type { AddFile } from '../../../../src/compact/delta/actions.ts';
import { type Action, actionLine, parseLine } from '../../../../src/compact/delta/log-lines.ts';
import { checkpointKeys, commitKey, parseLogName } from '../../../../src/compact/delta/log-names.ts';

const FILE: AddFile = {
  path: 'a.parquet',
  partitionValues: {},
  size: 5,
  modificationTime: 7,
  dataChange: true,
  stats: null,
  deletionVector: null,
};

const through = (action: Action) => parseLine(actionLine(action));

test('a run number beyond 2^53 keeps its digits', () => {
  const txn: Action = { kind: 'txn', value: { appId: 'tidemark', version: 9223372036854775807n } };
  expect(actionLine(txn)).toBe('{"txn":{"appId":"tidemark","version":9223372036854775807}}');
  expect(through(txn)).toEqual(txn);
});

test('statistics keep their text, whatever numbers are in it', () => {
  const stats = '{"numRecords":3, "minValues":{"id":-9223372036854775808,"d":1.10,"s":"\\u0000\\ud800"}}';
  const add: Action = { kind: 'add', value: { ...FILE, stats } };
  expect(through(add)).toEqual(add);
});

test('paths are URIs in the log and names here', () => {
  const path = 'p=a b/100%/ünï+x?#:&.parquet';
  const line = actionLine({ kind: 'add', value: { ...FILE, path } });
  expect(JSON.parse(line).add.path).toBe('p=a%20b/100%25/%C3%BCn%C3%AF%2Bx%3F%23%3A%26.parquet');
  expect(parseLine(line)).toMatchObject({ value: { path } });
  // Hive folders have their values encoded already: on disk this folder is called `p=x%20y`.
  expect(parseLine('{"add":{"path":"p=x%2520y/f.parquet","size":1,"modificationTime":1}}')).toMatchObject({
    value: { path: 'p=x%20y/f.parquet' },
  });
  const absolute = parseLine('{"add":{"path":"s3://b/a%20b","size":1,"modificationTime":1}}') as Action;
  expect(absolute).toMatchObject({ value: { path: 's3://b/a%20b' } });
  expect(JSON.parse(actionLine(absolute)).add.path).toBe('s3://b/a%20b');
});

test('a remove says what was removed', () => {
  const deletionVector = {
    storageType: 'u',
    pathOrInlineDv: 'ab^-',
    offset: 1,
    sizeInBytes: 2,
    cardinality: 3,
  } as const;
  const remove: Action = {
    kind: 'remove',
    value: { path: 'a', partitionValues: {}, size: 5, deletionTimestamp: 9, dataChange: false, deletionVector },
  };
  expect(JSON.parse(actionLine(remove)).remove).toEqual({ ...remove.value, extendedFileMetadata: true });
  expect(through(remove)).toEqual(remove);
});

test('a remove of another writer may say next to nothing, and no more is made of it', () => {
  const remove = parseLine('{"remove":{"path":"a","deletionTimestamp":9,"dataChange":true}}') as Action;
  expect(remove).toEqual({
    kind: 'remove',
    value: { path: 'a', partitionValues: {}, size: 0, deletionTimestamp: 9, dataChange: true, deletionVector: null },
  });
  expect(JSON.parse(actionLine(remove)).remove).toEqual({
    path: 'a',
    deletionTimestamp: 9,
    dataChange: true,
    extendedFileMetadata: false,
  });
});

test('what a checkpoint has as nulls is what a commit leaves out', () => {
  const add = '{"add":{"path":"a.parquet","partitionValues":{},"size":5,"modificationTime":7,"dataChange":true';
  expect(parseLine(`${add},"stats":null,"tags":null,"deletionVector":null}}`)).toEqual(parseLine(`${add}}}`));
  const protocol =
    '{"protocol":{"minReaderVersion":1,"minWriterVersion":2,"readerFeatures":null,"writerFeatures":null}}';
  expect(through(parseLine(protocol)!)).toEqual({
    kind: 'protocol',
    value: { minReaderVersion: 1, minWriterVersion: 2 },
  });
});

test('another writer keeps its tags', () => {
  const add: Action = { kind: 'add', value: { ...FILE, tags: { INSERTION_TIME: '17', empty: null } } };
  expect(through(add)).toEqual(add);
});

test('a note on a column keeps its digits', () => {
  const schema =
    '{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":{"n":9007199254740993}}]}';
  const line = JSON.stringify({ metaData: { id: 'x', schemaString: schema, partitionColumns: [], configuration: {} } });
  expect(JSON.parse(actionLine(parseLine(line)!)).metaData.schemaString).toBe(schema);
});

test('unknown actions are skipped', () => {
  expect(parseLine('{"cdc":{"path":"x"}}')).toBeNull();
  expect(parseLine('{"domainMetadata":{"domain":"x"}}')).toBeNull();
  expect(() => parseLine('{"add":{"pa')).toThrow(SyntaxError);
});

test('log files are told by their names', () => {
  const name = (key: string) => key.slice('t/_delta_log/'.length);
  expect(parseLogName(name(commitKey('t', 12)))).toEqual({ kind: 'commit', version: 12 });
  expect(checkpointKeys('t', 3, 1).map(name)).toEqual(['00000000000000000003.checkpoint.parquet']);
  expect(checkpointKeys('t', 3, 2).map(name)).toEqual([
    '00000000000000000003.checkpoint.0000000001.0000000002.parquet',
    '00000000000000000003.checkpoint.0000000002.0000000002.parquet',
  ]);
  const checkpoint = { kind: 'checkpoint', version: 3 };
  expect(checkpointKeys('t', 3, 1).map((key) => parseLogName(name(key)))).toEqual([
    { ...checkpoint, part: 1, parts: 1 },
  ]);
  expect(checkpointKeys('t', 3, 2).map((key) => parseLogName(name(key)))).toEqual([
    { ...checkpoint, part: 1, parts: 2 },
    { ...checkpoint, part: 2, parts: 2 },
  ]);
  const uuid = '80a083e8-7026-4e79-81be-64bd76c43a11';
  const others: [string, unknown][] = [
    [`00000000000000000003.checkpoint.${uuid}.json`, { kind: 'uuid-checkpoint', version: 3 }],
    [`00000000000000000003.checkpoint.${uuid}.parquet`, { kind: 'uuid-checkpoint', version: 3 }],
    ['00000000000000000003.00000000000000000007.compacted.json', { kind: 'other', version: 7 }],
    ['00000000000000000003.crc', { kind: 'other', version: 3 }],
    ['00000000000000000003.json.tmp', null],
    ['_last_checkpoint', null],
    ['_staged_commits/00000000000000000003.json', null],
    ['3.json', null],
  ];
  for (const [file, meaning] of others) expect([file, parseLogName(file)]).toEqual([file, meaning]);
});
