"""What a table holds, by a reader that none of the contenders is alone with: JSON of files, bytes, rows and a digest of its values.

look.py TABLE KEY: a Delta table, or a folder of Parquet files.
"""

import json
import os
import sys

import pyarrow as pa

table, key = sys.argv[1:]
# Sums that any change of a row moves; exact, whatever the order of the rows.
digest = f"""select count(*) as n, cast(sum({key}) as varchar) as keys, cast(sum(l_quantity) as varchar) as quantities,
  sum(length(l_comment)) as comments, max(updated_at) as latest from t"""

if os.path.isdir(os.path.join(table, "_delta_log")):
    from deltalake import DeltaTable, QueryBuilder

    delta = DeltaTable(table)
    sizes = pa.table(delta.get_add_actions(flatten=True)).column("size_bytes").to_pylist()
    found = pa.table(QueryBuilder().register("t", delta).execute(digest).read_all())
else:
    import duckdb

    names = [os.path.join(table, name) for name in os.listdir(table) if name.endswith(".parquet")]
    sizes = [os.path.getsize(name) for name in names]
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute(f"create view t as from read_parquet({names!r})")
    found = con.execute(digest).to_arrow_table()

row = list(found.to_pylist()[0].values())
print(json.dumps({"files": len(sizes), "bytes": sum(sizes), "rows": row[0], "digest": [str(value) for value in row]}))
