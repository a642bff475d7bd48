/** Which loads fail. Invariant: one row for each load whose last attempt failed, none for the others. */

/** Adds to the tables in `at`, a quoted schema. Runs inside the migration's transaction. */
export const up = (at: string): string => `
create table ${at}.load_failure (
  load text primary key,
  code text not null,
  message text not null,
  hint text,
  failed_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
comment on table ${at}.load_failure is 'Loads whose last attempt failed, as far as this database could be told; an attempt that succeeds removes its row.';
`;
