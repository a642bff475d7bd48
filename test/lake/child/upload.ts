/** A process for tests: uploads a file, tells its PreparedFile on stdout, then completes it when told to; made to be killed. */

import { once } from 'node:events';
import { openLake } from '../../../src/lake/open.ts';
import type { LakeConfig } from '../../../src/lake/settings.ts';

type Order = { config: LakeConfig; key: string; bytes: number; run: string; token: string };

const order: Order = JSON.parse(process.argv[2]);
const owner = { run: BigInt(order.run), token: BigInt(order.token) };
const never = new AbortController().signal;
const lake = await openLake(order.config);
try {
  const upload = await lake.startUpload(order.key, owner, never);
  const chunk = 50_000;
  for (let at = 0; at < order.bytes; at += chunk) {
    await upload.write(Buffer.alloc(Math.min(chunk, order.bytes - at), (at / chunk) % 251));
    if (at === 0) process.stdout.write('writing\n');
  }
  const file = await upload.finish();
  process.stdout.write(`${JSON.stringify(file)}\n`);
  await once(process.stdin, 'data');
  await lake.completeUpload(file, owner, never);
  process.stdout.write('completed\n');
} catch (error) {
  const { code, hint } = error as { code?: string; hint?: string };
  process.stdout.write(`${JSON.stringify({ code, hint })}\n`);
  process.exitCode = 1;
}
process.stdin.unref();
process.stdin.destroy();
