/** Spool and DuckDB for months of work. Invariant: DuckDB is closed, to be opened anew, only while nobody uses it. */

import type { Engine } from '../compact/open-engine.ts';

export type SharedEngine = AsyncDisposable & {
  /** Lends it to `work`; opens it at the first use. Throws what opening throws, and tries again at the next use. */
  use<T>(work: (engine: Engine) => Promise<T>): Promise<T>;
  /** Null: nobody has needed it yet. */
  opened(): Promise<Engine | null>;
};

/** Each use leaves some KB behind in a database in memory, which it gives back when it is closed: 40 MB a day, without this. */
const MOST_USES = 40;

export function sharedEngine(open: () => Promise<Engine>, mostUses = MOST_USES): SharedEngine {
  let opening: Promise<Engine> | null = null;
  let renewing: Promise<void> | null = null;
  let users = 0;
  let uses = 0;
  const opened = async () => (await opening?.catch(() => null)) ?? null;
  return {
    async use(work) {
      while (renewing) await renewing;
      users++;
      try {
        opening ??= open().catch((error) => {
          opening = null;
          throw error;
        });
        return await work(await opening);
      } finally {
        uses++;
        if (--users === 0 && uses >= mostUses) {
          uses = 0;
          renewing = opened()
            .then((engine) => engine?.renew())
            .finally(() => {
              renewing = null;
            });
        }
      }
    },
    opened,
    async [Symbol.asyncDispose]() {
      await renewing;
      await (await opened())?.[Symbol.asyncDispose]();
    },
  };
}
