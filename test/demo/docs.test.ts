/** The pages of docs/ hang together. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/postgres-server.ts';

const page = (name: string) => readFile(path.join(ROOT, name), 'utf8');

test('links between the pages lead somewhere', async () => {
  const pages = [
    'README.md',
    'CHANGELOG.md',
    ...(await readdir(path.join(ROOT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
  ];
  const texts = new Map(await Promise.all(pages.map(async (name) => [name, await page(name)] as const)));
  const broken: string[] = [];
  for (const [name, text] of texts) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file, anchor] = target.split('#');
      const to = file === '' ? name : path.normalize(path.join(path.dirname(name), file));
      const there = texts.get(to) ?? (await page(to).catch(() => readdir(path.join(ROOT, to)).catch(() => null)));
      if (there === null) broken.push(`${name}: ${target}`);
      else if (anchor && !anchors(String(there)).includes(anchor)) broken.push(`${name}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

/** As GitHub makes them of headings: those of one text are numbered from the second on. */
function anchors(text: string): string[] {
  const times = new Map<string, number>();
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-');
    const before = times.get(anchor) ?? 0;
    times.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}
