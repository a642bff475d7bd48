/** How the demo speaks: headings, explanations of at most 80 columns, commands as one would type them. Colours only on a terminal. */

import { styleText } from 'node:util';
import { formatTable } from '../src/model/format.ts';

const WIDTH = 78;

type Style = Parameters<typeof styleText>[0];

const style = (name: Style, text: string) => styleText(name, text, { stream: process.stdout });
const print = (text = '') => void process.stdout.write(`${text}\n`);

let steps = 0;

/** A step's heading, and what is to be seen and why. */
export function step(title: string, ...paragraphs: string[]): void {
  print();
  print(style('bold', `${++steps}. ${title}`));
  for (const text of paragraphs) say(text);
  print();
}

/** A paragraph, wrapped. */
export function say(text: string): void {
  for (const line of wrap(text)) print(line);
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)!;
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] += ` ${word}`;
  }
  return lines;
}

/** A command as a user would type it. */
export function command(text: string): void {
  print(style('cyan', `$ ${text}`));
}

/** Lines as they are; on a terminal they end where it ends. */
export function show(...lines: string[]): void {
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  for (const line of lines) print(line.length > width ? `${line.slice(0, width - 1)}…` : line);
}

/** SQL, dimmed and indented. */
export function sql(text: string): void {
  for (const line of text.trim().split('\n')) print(style('dim', `  ${line}`));
}

/** Rows under their column names. */
export function table(rows: Record<string, unknown>[]): void {
  if (rows.length === 0) {
    print('  (no rows)');
    return;
  }
  const names = Object.keys(rows[0]);
  const numbers = names.map((name) => rows.every((row) => /^-?[\d,.]+$/.test(String(row[name]))));
  const cells = rows.map((row) => names.map((name) => String(row[name] ?? '')));
  const [head, ...lines] = formatTable([names, ...cells], numbers);
  print(style('dim', `  ${head}`));
  for (const line of lines) print(`  ${line}`);
}

/** What matters most of a step. */
export function point(text: string): void {
  print();
  for (const line of wrap(text)) print(style('green', line));
}
