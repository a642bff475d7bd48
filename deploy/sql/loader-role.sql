-- The role that `load` uses on its target, with your names: shop (the database), public.events (the table).
CREATE ROLE loader LOGIN PASSWORD 'change me' CONNECTION LIMIT 12;
-- TEMPORARY: every batch goes through a temporary table.
GRANT CONNECT, TEMPORARY ON DATABASE shop TO loader;
GRANT USAGE ON SCHEMA public TO loader;
-- UPDATE only for `on_conflict: update`.
GRANT SELECT, INSERT, UPDATE ON public.events TO loader;

-- The ledger: which drops were loaded, with what outcome. Where the state store is in this database too:
-- GRANT USAGE, CREATE ON SCHEMA tidemark TO loader;
CREATE SCHEMA tidemark AUTHORIZATION loader;

-- To send less while a standby lags or sessions wait for locks.
GRANT pg_read_all_stats TO loader;
