-- The role that export, doctor and the daemon use on the source: what they need and no more. Run it as a superuser (on RDS:
-- the master user) in the database, with your names: shop (the database), app (the role that creates the application's
-- tables), public (their schema).
CREATE ROLE tidemark LOGIN PASSWORD 'change me' CONNECTION LIMIT 6;
GRANT CONNECT ON DATABASE shop TO tidemark;

-- The rows. On whole tables: the run locks them (ACCESS SHARE), for which grants on columns do not suffice.
GRANT USAGE ON SCHEMA public TO tidemark;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tidemark;
-- And of the tables to come.
ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO tidemark;

-- Since when the transactions of others have been open. Without it each run looks back by `late` (an hour).
GRANT pg_read_all_stats TO tidemark;

-- Only where row security applies to tables that are exported:
-- ALTER ROLE tidemark BYPASSRLS;

-- Only for `auth: rds-iam`, instead of the password:
-- GRANT rds_iam TO tidemark;
