import { expect, test } from 'vitest';
import type { DeltaColumn, Metadata, Protocol } from '../../../../src/compact/delta/actions.ts';
import { checkCommit, checkReadable, checkWritable, protocolFor } from '../../../../src/compact/delta/protocol.ts';
import { added, changes, removed } from '../../../compact/delta-support.ts';

const column = (name: string, more: Partial<DeltaColumn> = {}): DeltaColumn => ({
  name,
  type: 'long',
  nullable: true,
  metadata: {},
  ...more,
});
const NTZ: DeltaColumn[] = [
  column('a'),
  column('t', { type: { type: 'array', elementType: 'timestamp_ntz', containsNull: true } }),
];
const table = (configuration: Record<string, string> = {}, columns = [column('a')]): Metadata => ({
  id: 'x',
  columns,
  partitionColumns: [],
  configuration,
});
const legacy = (minReaderVersion: number, minWriterVersion: number): Protocol => ({
  minReaderVersion,
  minWriterVersion,
});
const features = (reader: string[], writer: string[]): Protocol => ({
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: reader,
  writerFeatures: writer,
});
const refusal = (what: string) =>
  expect.objectContaining({ code: 'STAGED_UNSUPPORTED', message: expect.stringContaining(what) });

test.each<[string, Protocol, Metadata]>([
  ['the plainest', legacy(1, 2), table()],
  ['every old feature allowed, none used', legacy(2, 6), table()],
  ['what delta-rs makes of a wall clock', features(['timestampNtz'], ['timestampNtz']), table()],
  ['deletion vectors', features(['deletionVectors'], ['deletionVectors', 'appendOnly', 'invariants']), table()],
])('taken: %s', (_, protocol, metadata) => {
  checkReadable(protocol, metadata);
  checkWritable(protocol, metadata);
});

test.each<[string, Protocol, Metadata]>([
  ['reader version 4', legacy(4, 7), table()],
  ['columnMapping', legacy(2, 5), table({ 'delta.columnMapping.mode': 'name' })],
  ['v2Checkpoint', features(['v2Checkpoint'], ['v2Checkpoint']), table()],
  ['typeWidening', features(['deletionVectors', 'typeWidening'], ['deletionVectors', 'typeWidening']), table()],
])('not read: %s', (feature, protocol, metadata) => {
  expect(() => checkReadable(protocol, metadata)).toThrow(refusal(feature));
  expect(() => checkWritable(protocol, metadata)).toThrow(refusal(feature));
});

test.each<[string, Protocol, Metadata]>([
  ['writer version 8', legacy(1, 8), table()],
  ['rowTracking', features([], ['rowTracking', 'domainMetadata']), table()],
  ['checkConstraints', legacy(1, 3), table({ 'delta.constraints.positive': 'a > 0' })],
  ['changeDataFeed', legacy(1, 4), table({ 'delta.enableChangeDataFeed': 'true' })],
  ['invariants', legacy(1, 2), table({}, [column('a', { metadata: { 'delta.invariants': '{}' } })])],
  ['generatedColumns', legacy(1, 4), table({}, [column('a', { metadata: { 'delta.generationExpression': 'b' } })])],
  ['identityColumns', legacy(1, 6), table({}, [column('a', { metadata: { 'delta.identity.start': 1 } })])],
])('read, but not written: %s', (feature, protocol, metadata) => {
  checkReadable(protocol, metadata);
  expect(() => checkWritable(protocol, metadata)).toThrow(refusal(feature));
});

test('a new table asks for no more than it needs', () => {
  expect(protocolFor([column('a')], false, null)).toEqual(legacy(1, 2));
  expect(protocolFor([column('a')], true, null)).toEqual(
    features(['deletionVectors'], ['appendOnly', 'invariants', 'deletionVectors']),
  );
  expect(protocolFor(NTZ, false, null)).toEqual(
    features(['timestampNtz'], ['appendOnly', 'invariants', 'timestampNtz']),
  );
});

test('a table keeps what it has when it needs more, and its protocol when it does not', () => {
  const before = features(['timestampNtz'], ['timestampNtz', 'checkConstraints']);
  expect(protocolFor(NTZ, true, before)).toEqual(
    features(['timestampNtz', 'deletionVectors'], ['timestampNtz', 'checkConstraints', 'deletionVectors']),
  );
  expect(protocolFor(NTZ, false, before)).toBe(before);
  expect(protocolFor([column('a')], true, legacy(1, 4))).toEqual(
    features(
      ['deletionVectors'],
      ['appendOnly', 'invariants', 'checkConstraints', 'changeDataFeed', 'generatedColumns', 'deletionVectors'],
    ),
  );
});

test('an append-only table takes rows and loses none', () => {
  const metadata = table({ 'delta.appendOnly': 'true' });
  const file = added('a');
  checkCommit(legacy(1, 2), metadata, changes({ add: [file] }));
  checkCommit(legacy(1, 2), metadata, changes({ remove: [{ ...removed(file), dataChange: false }] }));
  expect(() => checkCommit(legacy(1, 2), metadata, changes({ remove: [removed(file)] }))).toThrow(
    refusal('append-only'),
  );
});

test('two columns that only upper and lower case tell apart have no place in one table', () => {
  const metadata = table({}, [column('Größe'), column('b'), column('größe')]);
  expect(() => checkCommit(legacy(1, 2), metadata, changes())).toThrow(refusal('upper and lower case'));
});

test('a commit needs the protocol for what is in it', () => {
  const deletionVector = { storageType: 'i', pathOrInlineDv: '', sizeInBytes: 1, cardinality: 1 } as const;
  const marked = changes({ add: [added('a', { deletionVector })] });
  expect(() => checkCommit(legacy(1, 2), table(), marked)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  expect(() => checkCommit(legacy(1, 2), table({}, NTZ), changes())).toThrow(
    expect.objectContaining({ code: 'INTERNAL' }),
  );
  checkCommit(protocolFor(NTZ, true, null), table({}, NTZ), marked);
});
