"""The peers' base: the rows of Parquet files, sorted by key, as a Delta table of delta-rs in `files` files.

base.py TABLE KEY FILES PARQUET...
"""

import sys

import duckdb
from deltalake import WriterProperties, write_deltalake

table, key, files, sources = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
con = duckdb.connect()
con.execute("set timezone = 'UTC'")
columns = "columns(c -> not starts_with(c, '_tidemark_'))"
con.execute(f"create table sorted as select {columns} from read_parquet({sources!r}, hive_partitioning = false) order by {key}")
(rows,) = con.execute("select count(*) from sorted").fetchone()
each = -(-rows // files)
for file in range(files):
    # A row's place in the sorted table: the files are disjoint ranges of keys.
    slice_ = con.execute(f"select * from sorted where rowid >= {file * each} and rowid < {(file + 1) * each}")
    write_deltalake(
        table,
        slice_.to_arrow_table(),
        mode="append",
        target_file_size=1 << 40,
        writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
    )
