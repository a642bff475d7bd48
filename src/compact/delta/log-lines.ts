/**
 * A line of the log as an action, and back (PROTOCOL.md, "Actions"). Pure. Invariant: numbers that JavaScript cannot hold and the text of
 * statistics come out as they went in; what this project does not know is skipped.
 */

import type { AddFile, CommitInfo, DeletionVectorRef, Metadata, Protocol, RemoveFile } from './actions.ts';
import { rawNumber, sourceOf } from './exact-json.ts';
import { parseSchema, schemaText } from './schema.ts';

export type Txn = { appId: string; version: bigint };

export type Action =
  | { kind: 'protocol'; value: Protocol }
  | { kind: 'metadata'; value: Metadata }
  | { kind: 'txn'; value: Txn }
  | { kind: 'add'; value: AddFile }
  | { kind: 'remove'; value: RemoveFile }
  | { kind: 'info'; value: CommitInfo };

// biome-ignore lint/suspicious/noExplicitAny: what another program wrote
type Json = Record<string, any>;

/** The action of a line; null for those that change nothing here (`cdc`, `domainMetadata`, unknown ones). Throws on text that is no action. */
export function parseLine(line: string): Action | null {
  const parsed: Json = JSON.parse(line);
  if (parsed.add) return { kind: 'add', value: parseAdd(parsed.add) };
  if (parsed.remove) return { kind: 'remove', value: parseRemove(parsed.remove) };
  if (parsed.txn) return { kind: 'txn', value: parseTxn(line) };
  if (parsed.protocol) return { kind: 'protocol', value: parseProtocol(parsed.protocol) };
  if (parsed.metaData) return { kind: 'metadata', value: parseMetadata(parsed.metaData) };
  if (parsed.commitInfo) return { kind: 'info', value: parsed.commitInfo };
  return null;
}

/** The line of an action. */
export function actionLine(action: Action): string {
  if (action.kind === 'add') return addLine(action.value);
  if (action.kind === 'remove') return removeLine(action.value);
  if (action.kind === 'txn') return txnLine(action.value);
  if (action.kind === 'protocol') return JSON.stringify({ protocol: action.value });
  if (action.kind === 'metadata') return metadataLine(action.value);
  return JSON.stringify({ commitInfo: action.value });
}

function addLine(file: AddFile): string {
  const { path, stats, deletionVector, tags, ...rest } = file;
  return JSON.stringify({
    add: {
      path: encodePath(path),
      ...rest,
      ...(stats === null ? {} : { stats }),
      ...(tags ? { tags } : {}),
      ...(deletionVector ? { deletionVector } : {}),
    },
  });
}

function removeLine({ path, partitionValues, size, deletionVector, ...rest }: RemoveFile): string {
  // Without a size the file was removed by a writer that said nothing of it.
  const extended = size > 0 ? { extendedFileMetadata: true, partitionValues, size } : { extendedFileMetadata: false };
  return JSON.stringify({
    remove: { path: encodePath(path), ...rest, ...extended, ...(deletionVector ? { deletionVector } : {}) },
  });
}

function txnLine({ appId, version }: Txn): string {
  return JSON.stringify({ txn: { appId, version: rawNumber(String(version)) } });
}

function metadataLine({ columns, ...rest }: Metadata): string {
  const { id, name, description, partitionColumns, configuration, createdTime } = rest;
  return JSON.stringify({
    metaData: {
      id,
      name,
      description,
      format: { provider: 'parquet', options: {} },
      schemaString: schemaText(columns),
      partitionColumns,
      configuration,
      createdTime,
    },
  });
}

function parseAdd(add: Json): AddFile {
  return {
    path: decodePath(add.path),
    partitionValues: add.partitionValues ?? {},
    size: Number(add.size),
    modificationTime: Number(add.modificationTime),
    dataChange: add.dataChange !== false,
    stats: add.stats ?? null,
    deletionVector: parseVector(add.deletionVector),
    ...(add.tags ? { tags: add.tags } : {}),
  };
}

function parseRemove(remove: Json): RemoveFile {
  return {
    path: decodePath(remove.path),
    partitionValues: remove.partitionValues ?? {},
    size: Number(remove.size ?? 0),
    deletionTimestamp: Number(remove.deletionTimestamp ?? 0),
    dataChange: remove.dataChange !== false,
    deletionVector: parseVector(remove.deletionVector),
  };
}

function parseVector(vector: Json | null | undefined): DeletionVectorRef | null {
  if (!vector) return null;
  const { storageType, pathOrInlineDv, offset, sizeInBytes, cardinality } = vector;
  return {
    storageType,
    pathOrInlineDv,
    ...(offset === null || offset === undefined ? {} : { offset }),
    sizeInBytes,
    cardinality,
  };
}

function parseTxn(line: string): Txn {
  // Run numbers are 64-bit: beyond 2^53 a number would silently become another one.
  const exact: Json = JSON.parse(line, (key, value, ...[context]: unknown[]) =>
    key === 'version' && typeof value === 'number' ? BigInt(sourceOf(context)!) : value,
  );
  return { appId: exact.txn.appId, version: exact.txn.version };
}

function parseProtocol(protocol: Json): Protocol {
  const { minReaderVersion, minWriterVersion, readerFeatures, writerFeatures } = protocol;
  return {
    minReaderVersion,
    minWriterVersion,
    ...(readerFeatures ? { readerFeatures } : {}),
    ...(writerFeatures ? { writerFeatures } : {}),
  };
}

function parseMetadata(metadata: Json): Metadata {
  const { id, name, description, schemaString, partitionColumns, configuration, createdTime } = metadata;
  return {
    id,
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof description === 'string' ? { description } : {}),
    columns: parseSchema(schemaString),
    partitionColumns: partitionColumns ?? [],
    configuration: configuration ?? {},
    ...(createdTime === null || createdTime === undefined ? {} : { createdTime: Number(createdTime) }),
  };
}

/** `a b/c` is `a%20b/c` in the log: paths there are URIs. */
function encodePath(path: string): string {
  if (isAbsolute(path)) return path;
  return path
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll('%3D', '='))
    .join('/');
}

function decodePath(path: string): string {
  return isAbsolute(path) ? path : decodeURIComponent(path);
}

/** `s3://bucket/file`, as shallow clones have them: kept as it is. */
function isAbsolute(path: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\//i.test(path);
}
