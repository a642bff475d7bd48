/** `--keep`: the shop stays open until Ctrl-C, with what one needs to go on by hand. */

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { command, say, show, step } from './screen.ts';
import type { Stage } from './stage.ts';
import { ROOT } from './tidemark.ts';

/** Resolves when the signal comes. */
export async function keep(stage: Stage, signal: AbortSignal): Promise<void> {
  await script(stage, 'sql', `DATABASE_URL='${stage.url}' exec "${process.execPath}" "${ROOT}/demo/sql.ts" "$@"`);
  await script(stage, 'query', `exec "${process.execPath}" "${ROOT}/demo/query.ts" '${stage.folder}' "$@"`);
  step(
    'Your turn',
    'Server and lake stay until you press Ctrl-C here; then all of it is removed. In another terminal:',
  );
  command(`cd ${stage.folder}`);
  command(`export DATABASE_URL=${stage.url}`);
  command(`export PATH="${ROOT}/bin:$PATH"`);
  command('tidemark status');
  command(`./sql "update customer set city = 'Oslo' where customer_id = 7"`);
  command('tidemark export --all --dry-run');
  command('tidemark export --all');
  command('./query "select customer_id, city, _tidemark_run from customer');
  show(`          where customer_id = 7 order by _tidemark_run"`, '');
  say('Ctrl-C ends the demo.');
  signal.throwIfAborted();
  // A pending promise alone does not keep the process; the server's process does.
  await once(signal, 'abort');
}

async function script({ folder }: Stage, name: string, text: string): Promise<void> {
  await writeFile(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
