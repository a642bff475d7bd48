/** The SQL that several statements of the state store share. */

import { type RawBuilder, type Sql, sql } from 'kysely';

/** The state database's clock now, not the transaction's start: leases must not live on a clock that stands still. */
export const now: RawBuilder<unknown> = sql`clock_timestamp()`;

/** A timestamptz as `2026-07-01T09:30:00.123456Z`, whatever the session's TimeZone and DateStyle are. */
export function instant(reference: string): RawBuilder<string | null> {
  return sql`to_char(${sql.ref(reference)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** The time `ms` milliseconds from now. */
export function later(ms: number): RawBuilder<unknown> {
  return sql`clock_timestamp() + cast(${ms} as double precision) * interval '1 millisecond'`;
}

/** A table in the state store's schema, whatever characters its name has. */
export function tableIn(schema: string, name: string): ReturnType<Sql['id']> {
  return sql.id(schema, name);
}

/** The next number of a sequence in the state store's schema. */
export function next(schema: string, sequence: string): RawBuilder<string> {
  const quoted = [schema, sequence].map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
  return sql`nextval(cast(${quoted} as regclass))`;
}
