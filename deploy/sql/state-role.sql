-- Where the state store lives in the source: the schema for marks, runs and leases, in the same database, after
-- source-role.sql. tidemark makes its tables there by itself.
CREATE SCHEMA tidemark AUTHORIZATION tidemark;
