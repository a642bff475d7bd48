/** `--keep`: the shop stays open until Ctrl-C, with what one needs to go on by hand. */

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { command, say, show, step } from './screen.ts';
import type { Stage } from './stage.ts';
import { ROOT } from './tidemark.ts';

/** Resolves when the signal comes. */
export async function keep(stage: Stage, signal: AbortSignal): Promise<void> {
  // TMPDIR: the spool goes with the folder.
  const env = { DATABASE_URL: stage.url, PATH: `${ROOT}/bin:$PATH`, TMPDIR: stage.folder };
  const lines = Object.entries(env).map(([name, value]) => `export ${name}="${value}"\n`);
  await writeFile(path.join(stage.folder, 'env'), lines.join(''));
  await script(stage, 'sql', `DATABASE_URL='${stage.url}' exec "${process.execPath}" "${ROOT}/demo/sql.ts" "$@"`);
  step(
    'Your turn',
    'Server and lake stay until you press Ctrl-C here; then all of it is removed. In another terminal:',
  );
  command(`cd ${stage.folder}`);
  command('. ./env');
  command('tidemark status');
  command(`./sql "update customer set city = 'Bergen' where customer_id = 7"`);
  command('tidemark export --all --dry-run');
  command('tidemark export --all');
  command('tidemark compact --all');
  command('tidemark query "select customer_id, city, _tidemark_run as run');
  show('            from raw.customer where customer_id = 7 order by run"');
  command('tidemark vacuum --all --dry-run');
  show('');
  say('Ctrl-C ends the demo.');
  signal.throwIfAborted();
  // A pending promise alone does not keep the process; the server's process does.
  await once(signal, 'abort');
}

async function script({ folder }: Stage, name: string, text: string): Promise<void> {
  await writeFile(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
