/** What the steps of one table's compaction share. */

import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KeyEquality } from '../model/run.ts';
import type { AddFile, Commit, DeltaColumn, Metadata, Protocol, RemoveFile, Snapshot } from './delta/actions.ts';
import type { DeltaWriter } from './delta/commit.ts';
import { protocolFor } from './delta/protocol.ts';
import type { FileOptions } from './staged-files.ts';
import type { Counts, EngineDeps } from './work.ts';

/** A staged table and what it is about to be. */
export type Staging = {
  deps: EngineDeps;
  /** `staged/<folder>` */
  root: string;
  table: DeltaWriter;
  mode: 'rewrite' | 'vectors';
  columns: DeltaColumn[];
  /** In the lake's names; empty: the table has none. */
  key: string[];
  /** Of each of the key's columns: how its values compare, where not as they are. */
  equality: (KeyEquality | undefined)[];
  /** Postgres has checked that it is unique. */
  keyIsPrimary: boolean;
  /** Columns that files must not have as they are now: their type was widened, or they are gone. */
  outdated: boolean;
  /** Uncompressed bytes of a row, about. */
  rowBytes: number;
};

/** What a step did: files written and landed, not yet in the log. */
export type Step = {
  add: AddFile[];
  remove: RemoveFile[];
  counts: Counts;
  /** Whether the files are each in order, but overlap, so that they are to be put in order next; undefined: as before. */
  overlapping?: boolean;
};

export function fileOptions({ deps, root, columns, key, rowBytes }: Staging, fileBytes?: number): FileOptions {
  return { root, columns, key, rowBytes, fileBytes: fileBytes ?? deps.shape.targetBytes, dataChange: true };
}

export function removeOf(add: AddFile, now: number, dataChange: boolean): RemoveFile {
  const { path, partitionValues, size, deletionVector } = add;
  return { path, partitionValues, size, deletionVector, deletionTimestamp: now, dataChange };
}

export function stepOf(
  add: AddFile[],
  remove: RemoveFile[],
  rows: Pick<Counts, 'inserted' | 'updated' | 'deleted'>,
): Step {
  // A file that stays with more of its rows marked was not written.
  const kept = new Set(remove.map(({ path }) => path));
  const written = add.filter(({ path }) => !kept.has(path));
  const stay = add.length - written.length;
  const bytesWritten = written.reduce((sum, { size }) => sum + size, 0);
  return {
    add,
    remove,
    counts: { ...rows, filesAdded: written.length, filesRemoved: remove.length - stay, bytesWritten },
  };
}

export const APP_ID = 'tidemark';
const STORE = 'tidemark.store';
const KEY = 'tidemark.key';
/** A first compaction in several batches is not in order yet: whoever compacts next goes on. */
const OVERLAPPING = 'tidemark.overlapping';
const VECTORS = 'delta.enableDeletionVectors';

/** The last run that is in the table; 0n when it is none of this state store's. */
export function throughRun(snapshot: Snapshot | null, store: string): bigint {
  // Another store counts its runs from one: its number would hide the first runs of this one.
  if (snapshot?.metadata.configuration[STORE] !== shortStore(store)) return 0n;
  return snapshot.txns.get(APP_ID) ?? 0n;
}

/** As the table was written last; null when it does not say. */
export function keyOf(snapshot: Snapshot): string[] | null {
  const text = snapshot.metadata.configuration[KEY];
  return text === undefined ? null : (JSON.parse(text) as string[]);
}

export function isOverlapping(snapshot: Snapshot): boolean {
  return snapshot.metadata.configuration[OVERLAPPING] === 'true';
}

function shortStore(store: string): string {
  return store.replaceAll('-', '').slice(0, 12);
}

/** The commit of a step, with protocol and metadata where they change. `through`: null for a step that brings no run. */
export function commitOf(
  staging: Staging,
  snapshot: Snapshot | null,
  step: Step,
  { through, operation, parameters }: { through: bigint | null; operation: string; parameters: Record<string, string> },
): Commit {
  const vectors = liveAfter(snapshot, step).some(({ deletionVector }) => deletionVector !== null);
  const metadata = metadataOf(staging, snapshot, {
    vectors,
    hasRun: through !== null,
    overlapping: step.overlapping,
  });
  const protocol = nextProtocol(metadata.columns, vectors, snapshot);
  const { inserted, updated, deleted, filesAdded, filesRemoved, bytesWritten } = step.counts;
  return {
    info: {
      operation,
      operationParameters: parameters,
      operationMetrics: {
        numTargetRowsInserted: String(inserted),
        numTargetRowsUpdated: String(updated),
        numTargetRowsDeleted: String(deleted),
        numTargetFilesAdded: String(filesAdded),
        numTargetFilesRemoved: String(filesRemoved),
        numTargetBytesAdded: String(bytesWritten),
      },
    },
    ...(isDeepStrictEqual(protocol, snapshot?.protocol) ? {} : { protocol }),
    ...(isDeepStrictEqual(metadata, snapshot?.metadata) ? {} : { metadata }),
    ...(through === null ? {} : { txn: { appId: APP_ID, version: through } }),
    remove: step.remove,
    add: step.add,
  };
}

function liveAfter(snapshot: Snapshot | null, step: Step): AddFile[] {
  const removed = new Set(step.remove.map(({ path }) => path));
  return [...[...(snapshot?.files.values() ?? [])].filter(({ path }) => !removed.has(path)), ...step.add];
}

function metadataOf(
  { deps, columns, key }: Staging,
  snapshot: Snapshot | null,
  { vectors, hasRun, overlapping }: { vectors: boolean; hasRun: boolean; overlapping: boolean | undefined },
): Metadata {
  const before = snapshot?.metadata;
  // A step without a run leaves the table whose it is: another store's run number would pass for one of ours.
  const owner: Record<string, string> = hasRun
    ? { [STORE]: shortStore(deps.state.id), [KEY]: JSON.stringify(key) }
    : {};
  const { [VECTORS]: _, [OVERLAPPING]: disorder, ...others } = before?.configuration ?? {};
  const noted = overlapping ?? disorder !== undefined;
  return {
    ...(before ?? { id: randomUUID(), partitionColumns: [], createdTime: deps.clock() }),
    columns,
    configuration: {
      ...others,
      ...(vectors ? { [VECTORS]: 'true' } : {}),
      ...(noted ? { [OVERLAPPING]: 'true' } : {}),
      ...owner,
    },
  };
}

/** Back to what every reader takes as soon as nothing in the table asks for more. */
function nextProtocol(columns: DeltaColumn[], vectors: boolean, snapshot: Snapshot | null): Protocol {
  const before = snapshot?.protocol ?? null;
  const features = new Set([...(before?.readerFeatures ?? []), ...(before?.writerFeatures ?? [])]);
  const ours = [...features].every((feature) => ['deletionVectors', 'appendOnly', 'invariants'].includes(feature));
  return protocolFor(columns, vectors, !vectors && before?.readerFeatures && ours ? null : before);
}
