/** A process for tests: reconciles, says each named step on stdout, and kills itself at one of them. */

import { openLake } from '../../src/lake/open.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import { createCompactor } from '../support/compactor.ts';
import { createExporter } from '../support/exporter.ts';
import { reconcilerOf } from '../support/reconciler.ts';

export type ReconcileOrder = { url: string; lake: LakeConfig; table: string; at: string };

const { url, lake: config, table, at }: ReconcileOrder = JSON.parse(process.argv[2]);
await using lake = await openLake(config);
await using exporter = await createExporter(url, { lake });
await using compactor = await createCompactor(exporter);
const step = async (name: string) => {
  if (name === at) process.kill(process.pid, 'SIGKILL');
};
const { state } = await reconcilerOf(exporter, compactor).tryReconcile(table, { step });
process.stdout.write(state);
