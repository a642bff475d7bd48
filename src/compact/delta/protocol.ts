/**
 * Which tables may be read and written (PROTOCOL.md, "Table Features", "Writer Version Requirements"). Pure. Invariant: what is not known
 * is refused; what a table may use but does not is no reason to refuse it.
 */

import { TidemarkError } from '../../model/error.ts';
import type { Commit, DeltaColumn, DeltaType, Metadata, Protocol } from './actions.ts';

const READER = ['columnMapping', 'deletionVectors', 'timestampNtz', 'vacuumProtocolCheck'];
const WRITER = [
  ...READER,
  'appendOnly',
  'invariants',
  'checkConstraints',
  'changeDataFeed',
  'generatedColumns',
  'identityColumns',
  'allowColumnDefaults',
];

/** Throws STAGED_UNSUPPORTED, naming the feature, when reading the table by what is known here could give other rows. */
export function checkReadable(protocol: Protocol, metadata: Metadata): void {
  if (protocol.minReaderVersion > 3) throw unsupported(`reader version ${protocol.minReaderVersion}`);
  const unknown = protocol.readerFeatures?.find((feature) => !READER.includes(feature));
  if (unknown) throw unsupported(unknown);
  const mode = metadata.configuration['delta.columnMapping.mode'] ?? 'none';
  if (protocol.minReaderVersion >= 2 && mode !== 'none') throw unsupported('columnMapping');
}

/** Throws STAGED_UNSUPPORTED, naming the feature, when a commit would have to honour a feature that is not known here. */
export function checkWritable(protocol: Protocol, metadata: Metadata): void {
  checkReadable(protocol, metadata);
  if (protocol.minWriterVersion > 7) throw unsupported(`writer version ${protocol.minWriterVersion}`);
  const unknown = protocol.writerFeatures?.find((feature) => !WRITER.includes(feature));
  if (unknown) throw unsupported(unknown);
  const active = activeFeature(metadata);
  if (active) throw unsupported(active);
}

/** A feature of the older writer versions that is in use: each of them asks the writer to check or compute something. */
function activeFeature({ columns, configuration }: Metadata): string | null {
  if (Object.keys(configuration).some((key) => key.startsWith('delta.constraints.'))) return 'checkConstraints';
  if (configuration['delta.enableChangeDataFeed'] === 'true') return 'changeDataFeed';
  const keys = columns.flatMap(({ metadata }) => Object.keys(metadata));
  if (keys.includes('delta.invariants')) return 'invariants';
  if (keys.includes('delta.generationExpression')) return 'generatedColumns';
  if (keys.some((key) => key.startsWith('delta.identity.'))) return 'identityColumns';
  return null;
}

/**
 * The lowest protocol with these columns and deletion vectors or not, never below `before`: (1,2), or (3,7) with its features named.
 */
export function protocolFor(columns: DeltaColumn[], vectors: boolean, before: Protocol | null): Protocol {
  const needed = [
    ...(vectors ? ['deletionVectors'] : []),
    ...(columns.some(({ type }) => hasNtz(type)) ? ['timestampNtz'] : []),
  ];
  const known = before ?? { minReaderVersion: 1, minWriterVersion: 2 };
  if (needed.every((feature) => known.readerFeatures?.includes(feature))) return known;
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: union(known.readerFeatures ?? LEGACY_READER(known), needed),
    writerFeatures: union(known.writerFeatures ?? LEGACY_WRITER(known), needed),
  };
}

const LEGACY_READER = ({ minReaderVersion }: Protocol) => (minReaderVersion >= 2 ? ['columnMapping'] : []);
/** A version without a list stands for all features up to it: leaving one out would switch it off. */
const LEGACY_WRITER = ({ minWriterVersion }: Protocol) => [
  ...(minWriterVersion >= 2 ? ['appendOnly', 'invariants'] : []),
  ...(minWriterVersion >= 3 ? ['checkConstraints'] : []),
  ...(minWriterVersion >= 4 ? ['changeDataFeed', 'generatedColumns'] : []),
  ...(minWriterVersion >= 5 ? ['columnMapping'] : []),
  ...(minWriterVersion >= 6 ? ['identityColumns'] : []),
];

/** What this commit does against the table's own rules. Throws STAGED_UNSUPPORTED, or INTERNAL for what only a defect here writes. */
export function checkCommit(protocol: Protocol, metadata: Metadata, commit: Commit): void {
  checkWritable(protocol, metadata);
  const { configuration, columns } = metadata;
  if (configuration['delta.appendOnly'] === 'true' && commit.remove.some(({ dataChange }) => dataChange)) {
    throw new TidemarkError('STAGED_UNSUPPORTED', 'the Delta table is append-only (delta.appendOnly)', {
      hint: 'unset delta.appendOnly there: a staged table changes rows',
    });
  }
  const lower = columns.map(({ name }) => name.toLowerCase());
  const twice = columns.find((_, n) => lower.indexOf(lower[n]) !== n);
  if (twice) {
    const message = 'two columns have one name but for upper and lower case, which Delta does not tell apart';
    throw new TidemarkError('STAGED_UNSUPPORTED', message, {
      column: twice.name,
      hint: 'exclude or rename one of them',
    });
  }
  const needed = protocolFor(
    columns,
    commit.add.some(({ deletionVector }) => deletionVector),
    protocol,
  );
  if (needed !== protocol) throw new TidemarkError('INTERNAL', 'the commit needs features that the protocol lacks');
}

function hasNtz(type: DeltaType): boolean {
  return typeof type === 'string' ? type === 'timestamp_ntz' : hasNtz(type.elementType);
}

function union(a: string[], b: string[]): string[] {
  return [...new Set([...a, ...b])];
}

function unsupported(feature: string): TidemarkError {
  return new TidemarkError('STAGED_UNSUPPORTED', `the Delta table needs \`${feature}\`, which tidemark does not know`, {
    hint: 'turn the feature off there, or make the table anew with `tidemark compact --rebuild`',
  });
}
