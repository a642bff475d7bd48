/** A Delta table in a folder, without a configuration; DuckDB is there for its checkpoints alone. */

import path from 'node:path';
import { duckCheckpoints } from '../../src/compact/delta/checkpoint-duck.ts';
import type { DeltaTable } from '../../src/compact/delta/table.ts';
import type { Duck } from '../../src/duckdb/duck.ts';
import { openLocalLake } from '../../src/lake/local.ts';

export async function openTable(lake: string, root: string): Promise<DeltaTable & AsyncDisposable> {
  const tempFolder = path.join(lake, '..', 'spool-versions');
  let opened: Promise<Duck> | undefined;
  const open = async () => {
    const { Duck } = await import('../../src/duckdb/duck.ts');
    return Duck.open({ memoryBytes: 150e6, threads: 1, tempFolder, tempBytes: 1e9 });
  };
  const duck = () => {
    opened ??= open();
    return opened;
  };
  const checkpoints = duckCheckpoints({ duck, folder: tempFolder });
  return {
    lake: openLocalLake(lake),
    root,
    checkpoints,
    async [Symbol.asyncDispose]() {
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}
