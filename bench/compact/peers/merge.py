"""delta-rs merges the changes of one run. merge.py TABLE KEY CHANGES streamed|whole SECONDS

SECONDS is a file that receives how long it took with everything imported: opening the table, reading the changes, the merge.
"""

import sys
import time

import pyarrow.parquet as pq
from deltalake import DeltaTable, WriterProperties

table, key, changes, mode, seconds = sys.argv[1:]
began = time.monotonic()
target = DeltaTable(table)
columns = [field.name for field in target.schema().fields]
(
    target.merge(
        source=pq.read_table(changes, columns=columns, partitioning=None),
        predicate=f"source.{key} = target.{key}",
        source_alias="source",
        target_alias="target",
        streamed_exec=mode == "streamed",
        writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
    )
    .when_matched_update_all()
    .when_not_matched_insert_all()
    .execute()
)
with open(seconds, "w") as out:
    out.write(str(time.monotonic() - began))
