/** Connections of DuckDB for small compactions side by side. Invariant: each has tables of its own, and one user at a time. */

import type { Duck, DuckConnection } from '../duckdb/duck.ts';

export type SmallConnections = {
  /** Runs `work` with a connection to `duck` that nobody else has; there is none, and no DuckDB, before it is asked for. */
  use<T>(
    duck: () => Promise<Duck>,
    work: (connect: () => Promise<readonly [DuckConnection]>) => Promise<T>,
  ): Promise<T>;
};

export function createSmallConnections(): SmallConnections {
  let idle: { database: Duck; connection: DuckConnection }[] = [];
  let opened = 0;
  return {
    async use(duck, work) {
      let lent: Promise<(typeof idle)[number]> | undefined;
      const open = async () => {
        const database = await duck();
        // Those of a database that was closed went with it.
        idle = idle.filter((each) => each.database === database);
        return idle.pop() ?? { database, connection: await database.connect(`small_${++opened}`) };
      };
      try {
        return await work(async () => {
          lent ??= open();
          return [(await lent).connection];
        });
      } finally {
        const used = await lent?.catch(() => undefined);
        if (used) idle.push(used);
      }
    },
  };
}
