import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { openLake } from '../../src/lake/open.ts';
import { Spool } from '../../src/spool/spool.ts';
import { filesBelow, KB, log, type Scene, spoolScene } from './scene.ts';

const CHILD = fileURLToPath(new URL('./child/hold.ts', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

type Told = { folder: string; path?: string; code?: string; hint?: string };

/** Starts a process that reads the file through a spool and stays; gives what it tells of it. */
async function hold(scene: Scene, bytes: number, wrap: string[] = []): Promise<{ child: ChildProcess; told: Told }> {
  const { config, path } = scene;
  const order = JSON.stringify({ config, path, limitBytes: 1000 * KB, key: 'raw/held', bytes });
  const [command, ...args] = [...wrap, process.execPath, CHILD, order];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, told: JSON.parse(String((await lines.next()).value)) };
}

const owners = async (scene: Scene) => readdir(join(scene.path, 'own'));

describe('what another process has', () => {
  test('is left alone while it lives, and counts', async () => {
    await using scene = await spoolScene();
    await scene.put('raw/held', 700 * KB);
    const { child, told } = await hold(scene, 700 * KB);
    await using spool = await scene.open();
    expect(await spool.available()).toBe(300 * KB - 'half an output'.length);
    expect(await owners(scene)).toHaveLength(2);
    child.stdin!.write('\n');
    await once(child, 'exit');
    expect(await owners(scene)).toEqual([basename(spool.folder)]);
    expect(dirname(told.path!)).toBe(join(told.folder, 'in'));
  });

  test('is removed once it was killed; the cache stays', async () => {
    await using scene = await spoolScene();
    const body = await scene.put('raw/held', 700 * KB);
    const { child, told } = await hold(scene, 700 * KB);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await owners(scene)).toEqual([basename(told.folder)]);
    await using spool = await scene.open();
    expect(await owners(scene)).toEqual([basename(spool.folder)]);
    expect(await spool.available()).toBe(1000 * KB);
    expect((await scene.touch(spool, 'raw/held', 700 * KB)).equals(body)).toBe(true);
    expect(scene.fetches()).toBe(1);
  });

  test('of a dead one whose number a living one has got: removed', async () => {
    await using scene = await spoolScene();
    await using first = await scene.open();
    const [space, pid, start, chance] = basename(first.folder).split('-');
    expect(pid).toBe(String(process.pid));
    const earlier = [space, pid, Number(start) - 1, chance].join('-');
    await mkdir(join(scene.path, 'own', earlier, 'in'), { recursive: true });
    await using second = await scene.open();
    expect((await owners(scene)).sort()).toEqual([basename(first.folder), basename(second.folder)].sort());
  });

  test('in another container, where our numbers mean nothing: removed when it has shown no life for five minutes', async () => {
    await using scene = await spoolScene();
    await using first = await scene.open();
    const folders = [1, 2].map((n) => join(scene.path, 'own', `${'0'.repeat(32)}-1-5-0000000${n}`));
    for (const folder of folders) {
      await mkdir(folder);
      await writeFile(join(folder, 'output'), Buffer.alloc(100 * KB));
    }
    const then = Date.now() / 1000 - 301;
    await utimes(folders[0], then, then);
    await using second = await scene.open();
    expect((await owners(scene)).sort()).toEqual(
      [folders[1], first.folder, second.folder].map((each) => basename(each)).sort(),
    );
    expect(await second.available()).toBe(900 * KB);
  });
});

test('a disk that is full is SPOOL_FULL, and nothing of the file stays', async () => {
  await using scene = await spoolScene();
  await scene.put('raw/held', 300 * KB);
  // A limit of the process on the length of files, 100 or 200 kB, stands for the disk: the write then fails in the same way.
  const { child, told } = await hold(scene, 300 * KB, ['sh', '-c', 'ulimit -f 200; exec "$@"', 'sh']);
  expect(told).toMatchObject({ code: 'SPOOL_FULL', hint: expect.stringContaining('spool.path') });
  expect(await filesBelow(scene.path)).toEqual([]);
  child.kill('SIGKILL');
});

describe('a folder that cannot be used', () => {
  const open = async (path: string) => {
    await using lake = await openLake({ url: 'file:/tmp/lake', baseDir: '/' });
    return Spool.open({ path, limitBytes: 1000 * KB }, lake, log);
  };

  test('is SPOOL_FAILED', async () => {
    // /sys takes no folders, from root neither.
    await expect(open('/sys/tidemark')).rejects.toMatchObject({
      code: 'SPOOL_FAILED',
      hint: expect.stringContaining('spool.path'),
    });
  });

  test('because it belongs to somebody else, who could read along', async ({ skip }) => {
    if (process.getuid!() !== 0) skip('only root can give a folder away');
    const path = await mkdtemp(join(tmpdir(), 'tidemark-foreign-'));
    await chown(path, 12345, 12345);
    await expect(open(path)).rejects.toMatchObject({
      code: 'SPOOL_FAILED',
      message: expect.stringContaining('another'),
    });
    await rm(path, { recursive: true });
  });
});
