/** The settings of a load as what a row is read with: which places of it, and what writes each column. */

import { TidemarkError } from '../../model/error.ts';
import type { LoadSettings, Scalar } from '../settings.ts';
import { CopyText } from './copy-text.ts';
import type { Path } from './json-paths.ts';
import { JsonScanner } from './json-scan.ts';
import { type Matches, matcher } from './keep.ts';
import { columnType } from './types/column-type.ts';
import { isJson, writeValue } from './types/write-value.ts';
import { BOOLEAN, NUMBER, TEXT, type WriteValue } from './value.ts';

export type WrittenColumn = {
  name: string;
  slot: number;
  write: WriteValue;
  /** It takes the JSON text itself. */
  json: boolean;
  required: boolean;
  /** The field where a row has no value; null: NULL. */
  default: Uint8Array | null;
};

export type KeptBy = { slot: number; matches: Matches; default: { bytes: Uint8Array; kind: number } | null };

export type RowPlan = { scanner: JsonScanner; paths: Path[]; columns: WrittenColumn[]; keep: KeptBy[] };

/** Throws CONFIG_INVALID for a default that its column's type refuses. */
export function rowPlan(settings: LoadSettings): RowPlan {
  const paths = [...settings.columns.map(({ path }) => path), ...settings.keep.map(({ path }) => path)];
  const scanner = new JsonScanner(paths);
  const columns = settings.columns.map((column, i): WrittenColumn => {
    const type = columnType(column.type);
    const write = writeValue(type);
    return {
      name: column.name,
      slot: scanner.slots[i],
      write,
      json: isJson(type),
      required: column.required,
      default: defaultField(settings.name, column.name, column.default, write),
    };
  });
  const keep = settings.keep.map(({ is }, i): KeptBy => {
    const slot = scanner.slots[columns.length + i];
    const column = settings.columns.find((_, c) => scanner.slots[c] === slot && settings.columns[c].default != null);
    return { slot, matches: matcher(is), default: column ? asValue(column.default as Scalar) : null };
  });
  return { scanner, paths, columns, keep };
}

/** A value of the configuration as a row would hold it. */
function asValue(value: Scalar): { bytes: Uint8Array; kind: number } {
  const kind = typeof value === 'string' ? TEXT : typeof value === 'number' ? NUMBER : BOOLEAN;
  return { bytes: Buffer.from(String(value)), kind };
}

function defaultField(
  load: string,
  column: string,
  value: Scalar | undefined,
  write: WriteValue,
): WrittenColumn['default'] {
  if (value === undefined || value === null) return null;
  const out = new CopyText(1024);
  const { bytes, kind } = asValue(value);
  const complaint = write(bytes, kind, 0, bytes.length, out);
  if (complaint !== null) {
    throw new TidemarkError('CONFIG_INVALID', `loads.${load}.columns.${column}.default ${complaint}`, { column });
  }
  return out.take();
}
