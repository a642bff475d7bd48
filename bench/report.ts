/** Prints a benchmark's tables, and keeps them in bench/results.md. Invariant: each benchmark replaces its own part alone. */

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { embeddedBinDir, ROOT } from '../test/support/postgres-server.ts';

export type Section = { title: string; head: string[]; rows: string[][] };

const FILE = path.join(ROOT, 'bench/results.md');
/** `name`: of the npm script `bench:<name>`. */
export type Report = {
  name: string;
  title: string;
  sections: Section[];
  rounds: number /** Markdown lines. */;
  notes?: string[];
};

export async function writeResults({ name, title, sections, rounds, notes = [] }: Report): Promise<void> {
  const begin = `<!-- ${name}: written by npm run bench:${name} -->`;
  const finish = `<!-- ${name}: end -->`;
  const head = [begin, `## ${title}`, '', await machine(rounds), '', ...notes.flatMap((note) => [note, ''])];
  const text = [...head, ...sections.flatMap(sectionText), finish].join('\n');
  console.log(text);
  const before = await readFile(FILE, 'utf8').catch(() => '# Measured\n');
  const [start, end] = [before.indexOf(begin), before.indexOf(finish)];
  const after =
    start >= 0 && end > start
      ? before.slice(0, start) + text + before.slice(end + finish.length)
      : `${before.trimEnd()}\n\n${text}\n`;
  await writeFile(FILE, after);
}

export function printSections(sections: Section[]): void {
  console.log(sections.flatMap(sectionText).join('\n'));
}

async function machine(rounds: number): Promise<string> {
  const postgres = execFileSync(path.join(await embeddedBinDir(), 'postgres'), ['--version'], {
    encoding: 'utf8',
  }).trim();
  const [cpu] = os.cpus();
  return [
    `${new Date().toISOString().slice(0, 10)}; ${os.cpus().length} x ${cpu.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()};`,
    `Node ${process.version}, ${postgres}. Server, client and lake on this one machine; contenders take turns, medians of ${rounds} rounds.`,
    'The machine is shared: ratios travel, absolute times do not.',
  ].join(' ');
}

function sectionText({ title, head, rows }: Section): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line), ''];
}
