/** Folders of immutable files: copied by hard links, measured by what is new in them. */

import { execFile } from 'node:child_process';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** `to` is replaced. Safe for lakes: none of the contenders writes into a file that has its name already. */
export async function linkFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await promisify(execFile)('cp', ['-al', from, to]);
}

/** Bytes by path below a folder; a folder that is not there has none. */
export async function fileSizes(folder: string): Promise<Map<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (file) => [file, (await stat(file)).size] as const)));
}

export function addedFiles(before: Map<string, number>, after: Map<string, number>): [file: string, bytes: number][] {
  return [...after].filter(([file]) => !before.has(file));
}
