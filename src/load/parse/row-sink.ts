/** What takes the rows of a drop as they are found in it. */

import type { Path } from './json-paths.ts';
import type { JsonScanner } from './json-scan.ts';

export interface RowSink {
  /** The wanted places, and the slots that a reader of another format than JSON fills for them. */
  readonly plan: { scanner: JsonScanner; paths: Path[]; columns: { slot: number; required: boolean; name: string }[] };
  /** Whether the places are those of a transform's rows, not of the drop's. */
  readonly transforms: boolean;
  /** A row as JSON text, UTF-8. */
  json(b: Buffer, start: number, end: number, line: number): void;
  /** A row whose values stand in the slots; `object` and `text` give all of it where somebody needs it. */
  placed(b: Buffer, line: number, object: () => Record<string, unknown>, text: () => Uint8Array): void;
  /** A row that cannot be read. */
  broken(line: number, reason: string, text: Uint8Array): void;
}
