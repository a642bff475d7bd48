/** What a running process cannot change: what it has open. Pure. */

import type { Config } from './config.ts';

/** The keys whose values differ, as the file has them. */
export function fixedParts(before: Config, after: Config): string[] {
  const differs = (part: (config: Config) => unknown) => JSON.stringify(part(before)) !== JSON.stringify(part(after));
  const parts: [string, (config: Config) => unknown][] = [
    ['source', ({ source }) => source],
    ['state', ({ state }) => state],
    ['lake', ({ lake }) => lake],
    ['spool', ({ spool }) => spool],
    ['memory', ({ memoryBytes, memoryIsFixed }) => [memoryBytes, memoryIsFixed]],
    ['status.listen', ({ status }) => [status.host, status.port]],
  ];
  return parts.filter(([, part]) => differs(part)).map(([key]) => key);
}
