/** What exports work with, for the command and the daemon alike. */

import { Compressor } from '../parquet/compressor.ts';
import { VERSION } from '../version.ts';
import { GROUP_LIMITS } from './group-reader.ts';
import type { ExportDeps } from './work.ts';

export function exportDeps(opened: Pick<ExportDeps, 'source' | 'state' | 'lake' | 'log'>): ExportDeps {
  return {
    ...opened,
    compressor: compressors(),
    now: () => performance.now(),
    createdBy: `tidemark version ${VERSION} (build 0)`,
    groups: GROUP_LIMITS,
    step: async () => {},
  };
}

/** One of each codec for all tables: together they keep to a number of pages under way. */
function compressors(): ExportDeps['compressor'] {
  const made = new Map<string, Compressor>();
  return ({ compression }) => {
    const known = made.get(compression) ?? new Compressor(compression);
    made.set(compression, known);
    return known;
  };
}
