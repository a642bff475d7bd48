"""DuckDB writes the whole table anew, unsorted: the rows without a change, then the changed ones. rebuild.py BASE KEY CHANGES OUT SECONDS"""

import sys
import time

import duckdb

base, key, changes, out, seconds = sys.argv[1:]
began = time.monotonic()
con = duckdb.connect()
con.execute("set timezone = 'UTC'")
con.execute(f"create view changes as select columns(c -> not starts_with(c, '_tidemark_')) from read_parquet('{changes}', hive_partitioning = false)")
con.execute(
    f"copy (select * from read_parquet('{base}/*.parquet') anti join changes using ({key}) union all by name from changes) "
    f"to '{out}' (format parquet, compression zstd, compression_level 1)"
)
with open(seconds, "w") as file:
    file.write(str(time.monotonic() - began))
