/** A table's columns as the log has them: Spark's JSON schema (PROTOCOL.md, "Schema Serialization Format"). Pure. */

import { TidemarkError } from '../../model/error.ts';
import type { DeltaColumn, DeltaType } from './actions.ts';
import { rawNumber, sourceOf } from './exact-json.ts';

/** The text of metaData.schemaString. */
export function schemaText(columns: DeltaColumn[]): string {
  const fields = columns.map(({ name, type, nullable, metadata }) => ({ name, type, nullable, metadata }));
  return JSON.stringify({ type: 'struct', fields });
}

/** Throws STAGED_UNSUPPORTED for structs and maps, which no table of Postgres rows has. */
export function parseSchema(text: string): DeltaColumn[] {
  const schema = JSON.parse(text, keepDigits);
  return schema.fields.map(({ name, type, nullable, metadata }: DeltaColumn) => ({
    name,
    type: parseType(type, name),
    nullable,
    metadata: metadata ?? {},
  }));
}

function parseType(type: unknown, column: string): DeltaType {
  // Some writers put a blank between precision and scale.
  if (typeof type === 'string') return type.startsWith('decimal') ? type.replaceAll(' ', '') : type;
  const {
    type: kind,
    elementType,
    containsNull,
  } = type as { type: string; elementType: unknown; containsNull: boolean };
  if (kind === 'array') return { type: 'array', elementType: parseType(elementType, column), containsNull };
  throw new TidemarkError('STAGED_UNSUPPORTED', `the Delta table has a column of type ${kind}`, { column });
}

/** Another writer's notes on a column may hold numbers that JavaScript would change: they are written again as they were. */
function keepDigits(_key: string, value: unknown, ...[context]: unknown[]): unknown {
  const source = sourceOf(context);
  return typeof value !== 'number' || source === undefined || String(value) === source ? value : rawNumber(source);
}
