/** The files of a folder as a tree, with their sizes. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { formatBytes } from '../src/model/format.ts';

/** Folders with a single folder in them are joined to one line. */
export async function tree(folder: string, indent = ''): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const last = i === entries.length - 1;
    const branch = `${indent}${last ? '└── ' : '├── '}`;
    let at = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      at = await onlyFolders(at);
      lines.push(`${branch}${path.relative(folder, at)}/`);
      lines.push(...(await tree(at, `${indent}${last ? '    ' : '│   '}`)));
    } else lines.push(`${branch}${entry.name.padEnd(46)}${formatBytes((await stat(at)).size).padStart(7)}`);
  }
  return lines;
}

async function onlyFolders(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.length === 1 && entries[0].isDirectory() ? onlyFolders(path.join(folder, entries[0].name)) : folder;
}
