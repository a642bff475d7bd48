/** A load in a process of its own, which kills itself at a step: `run-load.ts <folder> <step> <nth>`. */

import { pino } from 'pino';
import { loadConfig } from '../../../src/config/load-config.ts';
import { runLoads } from '../../../src/load/run-loads.ts';

const [cwd, at, nth] = process.argv.slice(2);
let left = Number(nth);

const config = await loadConfig({ configFile: undefined, cwd, env: {}, secrets: [] });
const deps = {
  env: {},
  log: pino({ level: 'silent' }),
  temporary: config.spool.path,
  workers: 2,
  clock: Date.now,
  now: () => performance.now(),
  step: async (name: string) => {
    if (name === at && --left === 0) process.kill(process.pid, 'SIGKILL');
  },
};
const progress = () => ({ listed() {}, done() {}, waiting() {}, ended() {} });
const results = await runLoads(
  deps,
  { loads: config.loads, days: null, replay: false },
  progress,
  new AbortController().signal,
);
for (const result of results) if (result.state === 'failed') throw result.error;
