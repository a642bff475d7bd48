import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const open = new URL('../../../src/lake/open.ts', import.meta.url).href;

async function loadedSdk(url: string): Promise<[string, boolean]> {
  const baseDir = await mkdtemp(join(tmpdir(), 'tidemark-open-'));
  const script = `
    import { createRequire } from 'node:module';
    const { openLake } = await import(${JSON.stringify(open)});
    const lake = await openLake({ url: ${JSON.stringify(url)}, baseDir: ${JSON.stringify(baseDir)}, s3: { region: 'eu-west-1' } });
    const sdk = Object.keys(createRequire(import.meta.url).cache).filter((file) => /@aws-sdk/.test(file));
    console.log(JSON.stringify([lake.url.replace(${JSON.stringify(baseDir)}, 'BASE'), sdk.length > 0]));
  `;
  try {
    return JSON.parse((await run(process.execPath, ['--input-type=module', '-e', script])).stdout);
  } finally {
    await rm(baseDir, { recursive: true, force: true });
  }
}

test('a lake in a folder loads nothing of the AWS SDK', async () => {
  expect(await loadedSdk('file:./lake')).toEqual(['file:BASE/lake', false]);
});

test('a lake in a bucket loads it', async () => {
  expect(await loadedSdk('s3://bucket/prefix/')).toEqual(['s3://bucket/prefix', true]);
});
