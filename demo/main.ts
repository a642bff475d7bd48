/** `npm run demo`: shows the main job on a real Postgres. Invariant: however it ends, its server and its folder go with it. */

import { keep } from './keep.ts';
import { say, show } from './screen.ts';
import { buildStage } from './stage.ts';
import { tell } from './story.ts';

const USAGE = `npm run demo             shows what tidemark does, in about 15 seconds
npm run demo -- --keep   the same, and leaves server and lake for you to look around until Ctrl-C
`;

const EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const args = process.argv.slice(2);
if (args.some((arg) => arg !== '--keep')) {
  process.stderr.write(USAGE);
  process.exit(args.includes('--help') ? 0 : 2);
}

const controller = new AbortController();
for (const [name, code] of Object.entries(EXITS)) {
  process.on(name, () => {
    process.exitCode = code;
    controller.abort(new Error(`stopped by ${name}`));
  });
}

try {
  await run(controller.signal);
} catch (error) {
  if (!controller.signal.aborted) {
    process.stderr.write(`\nThe demo failed: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

async function run(signal: AbortSignal): Promise<void> {
  const began = performance.now();
  say(`tidemark exports the changed rows of a Postgres database to Parquet files, and keeps Delta tables of the current
    state. Here is all of it at work.`);
  await using stage = await buildStage();
  signal.throwIfAborted();
  await tell(stage, signal);
  if (args.includes('--keep')) {
    await keep(stage, signal);
    // It was to end like this.
    process.exitCode = 0;
    return;
  }
  show('');
  say(
    `That took ${Math.round((performance.now() - began) / 1000)} seconds; nothing of it is left on this machine. To look
    around yourself: npm run demo -- --keep. With a database of your own: README.md, "Quick start".`,
  );
}
