/** The ledger in the target database. Invariant: what it says of a drop is committed together with the drop's rows. */

/** Creates the tables in `at`, a quoted schema that exists. Runs inside the migration's transaction. */
export const up = (at: string): string => `
create table ${at}.load_worker (
  worker uuid primary key,
  load text not null,
  holder text not null,
  started_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  waiting_until timestamptz
) with (fillfactor = 50);
comment on table ${at}.load_worker is 'Processes that load. Times are of this database''s clock.';
comment on column ${at}.load_worker.holder is 'Host and process, for people.';
comment on column ${at}.load_worker.expires_at is 'Renewed while the process lives. From then on others take its drops over; until one does, it may still commit them.';
comment on column ${at}.load_worker.waiting_until is 'It waits for a place among the connections; who has one gives it up after a batch. Null or past: it does not.';

create table ${at}.load_drop (
  load text not null,
  key text not null collate "C",
  etag text not null,
  bytes bigint not null,
  state text not null check (state in ('claimed', 'loaded', 'dead', 'gone')),
  worker uuid,
  claim uuid,
  attempt integer not null default 1,
  overwritten integer not null default 0,
  rows_in bigint not null default 0,
  rows_out bigint not null default 0,
  rows_filtered bigint not null default 0,
  rows_rejected bigint not null default 0,
  rows_known bigint not null default 0,
  content text,
  error text,
  listed_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (load, key)
) with (fillfactor = 70);
create index load_drop_dead on ${at}.load_drop (load, key) where state = 'dead';
create index load_drop_worker on ${at}.load_drop (worker) where state = 'claimed';
comment on table ${at}.load_drop is 'The ledger: one row for each drop, with what its last content came to. A drop whose ETag and size stand here as loaded or dead is not read again.';
comment on column ${at}.load_drop.load is 'The name of the load in the configuration.';
comment on column ${at}.load_drop.key is 'The drop''s key in its bucket, or its path below the folder.';
comment on column ${at}.load_drop.etag is 'Tells one content from another: S3''s ETag, or what stands for it locally.';
comment on column ${at}.load_drop.content is 'Of a local drop that was loaded: a hash of its bytes. One that was only touched is not loaded again.';
comment on column ${at}.load_drop.state is 'claimed: a process works on it, or died over it. loaded. dead: it could not be read at all, error says why; load --replay takes it again. gone: it vanished before it was read.';
comment on column ${at}.load_drop.claim is 'The call that claimed it. Checked in the transaction that loads it: a claim that another took over commits nothing.';
comment on column ${at}.load_drop.attempt is 'How often this content was claimed.';
comment on column ${at}.load_drop.overwritten is 'How often other content was found under its key after it had been loaded.';
comment on column ${at}.load_drop.rows_in is 'Rows that were read. All counts are of the last content.';
comment on column ${at}.load_drop.rows_out is 'Rows that the target took, or had already.';
comment on column ${at}.load_drop.rows_known is 'Those of rows_out that changed nothing: the key was there, or came again in the same transaction.';
comment on column ${at}.load_drop.rows_rejected is 'Counts all of them, also those whose text is not kept in load_reject.';

create table ${at}.load_reject (
  id bigint generated always as identity primary key,
  load text not null,
  key text not null,
  etag text not null,
  line bigint not null,
  "column" text,
  reason text not null,
  text text not null,
  rejected_at timestamptz not null default clock_timestamp(),
  attempt integer not null default 1,
  replayed_at timestamptz
);
create index load_reject_open on ${at}.load_reject (load, id) where replayed_at is null;
create index load_reject_drop on ${at}.load_reject (load, key);
comment on table ${at}.load_reject is 'Rows that were not loaded: the reason and the original text of each.';
comment on column ${at}.load_reject.line is 'From 1, in the unpacked drop.';
comment on column ${at}.load_reject."column" is 'What the reason is about; null: the row as a whole.';
comment on column ${at}.load_reject.text is 'As it stood in the drop, cut to the limit of a line; a NUL character as \\u0000.';
comment on column ${at}.load_reject.replayed_at is 'When load --replay loaded it, or found that it is filtered now.';
`;
