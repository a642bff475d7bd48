/** A process for tests: opens a spool, reads a file of the lake into it, tells what came of it, and stays; made to be killed. */

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { openLake } from '../../../src/lake/open.ts';
import type { LakeConfig } from '../../../src/lake/settings.ts';
import { Spool } from '../../../src/spool/spool.ts';

type Order = { config: LakeConfig; path: string; limitBytes: number; key: string; bytes: number };

const order: Order = JSON.parse(process.argv[2]);
const never = new AbortController().signal;
const lake = await openLake(order.config);
const spool = await Spool.open(order, lake, pino({ level: 'silent' }));
try {
  const file = await spool.read(order.key, { bytes: order.bytes }, never);
  await writeFile(spool.path('output'), 'half an output');
  process.stdout.write(`${JSON.stringify({ folder: spool.folder, path: file.path })}\n`);
  await once(process.stdin, 'data');
} catch (error) {
  const { code, hint } = error as { code?: string; hint?: string };
  process.stdout.write(`${JSON.stringify({ folder: spool.folder, code, hint })}\n`);
  await once(process.stdin, 'data');
}
await spool[Symbol.asyncDispose]();
process.stdin.destroy();
