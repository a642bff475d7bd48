/** What the pool and its workers say to each other. Types only. */

import type { ReadDrop } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import type { RowsDrop } from './rows.ts';
import type { Source } from './unpack.ts';

/** `tempFolder`: made when it is needed; the pool removes it, a thread that is ended at once could not. */
export type WorkerStart = { settings: LoadSettings; tempFolder: string };

export type Task = { source: Source; drop: RowsDrop; lines: number[] | null };

export type Answer =
  | { kind: 'ready' }
  /** It cannot work at all. */
  | { kind: 'refused'; code: string; message: string; hint: string | undefined; column: string | undefined }
  | { kind: 'read'; read: ReadDrop }
  | { kind: 'lines'; lines: Map<number, string> }
  /** Not for the drop's sake: DuckDB out of memory, a full disk. The worker goes on. */
  | { kind: 'failed'; code: string; message: string; hint: string | undefined };
