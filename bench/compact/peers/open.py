"""Seconds that delta-rs takes to open a table. open.py TABLE VERSION"""

import sys
import time

from deltalake import DeltaTable

began = time.monotonic()
delta = DeltaTable(sys.argv[1])
files = len(delta.file_uris())
print(time.monotonic() - began)
if delta.version() != int(sys.argv[2]) or files == 0:
    sys.exit(f"version {delta.version()}, {files} files")
