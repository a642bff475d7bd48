/** Connections of DuckDB for small compactions side by side. Invariant: each has tables of its own, and one user at a time. */

import type { Duck, DuckConnection } from '../duckdb/duck.ts';

export type SmallConnections = {
  /** Runs `work` with a connection that nobody else has; there is none, and no DuckDB, before it is asked for. */
  use<T>(work: (connect: () => Promise<readonly [DuckConnection]>) => Promise<T>): Promise<T>;
};

export function createSmallConnections(duck: () => Promise<Duck>): SmallConnections {
  const idle: DuckConnection[] = [];
  let opened = 0;
  return {
    async use(work) {
      let connection: Promise<DuckConnection> | undefined;
      const open = async () => idle.pop() ?? (await duck()).connect(`small_${++opened}`);
      try {
        return await work(async () => {
          connection ??= open();
          return [await connection];
        });
      } finally {
        const used = await connection?.catch(() => undefined);
        if (used) idle.push(used);
      }
    },
  };
}
