/** What the docs tell people to type works as it stands there. */

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { CONFIG } from '../../demo/stage.ts';
import { createDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';

const page = (name: string) => readFile(path.join(ROOT, name), 'utf8');

test('the role of docs/operations.md may export, sees all activity, and may not write', async () => {
  await using db = await createDatabase();
  const role = `r_${db.name}`;
  const [, statements] = /```sql\n(.*?)```/s.exec(await page('docs/operations.md'))!;
  await db.query('create table invoice (invoice_id int primary key, updated_at timestamptz default now())');
  await db.query('insert into invoice values (1)');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-docs-'));
  try {
    await db.query(
      statements
        .replaceAll(/(ROLE|TO|AUTHORIZATION) tidemark\b/g, `$1 ${role}`)
        .replaceAll(/DATABASE shop\b/g, `DATABASE ${db.name}`)
        .replaceAll(/ROLE app\b/g, 'ROLE postgres'),
    );
    const url = Object.assign(new URL(db.url), { username: role, password: 'change%20me' }).href;
    await writeFile(path.join(folder, 'tidemark.yaml'), CONFIG);
    const tidemark = (...args: string[]) =>
      promisify(execFile)(path.join(ROOT, 'bin/tidemark'), args, {
        cwd: folder,
        env: { ...process.env, DATABASE_URL: url },
      });

    const checks = JSON.parse((await tidemark('doctor', '--json')).stdout).checks as { check: string; state: string }[];
    expect(checks.filter(({ state }) => state === 'fail')).toEqual([]);
    expect(checks.find(({ check }) => check === 'activity')?.state).toBe('ok');
    const { tables } = JSON.parse((await tidemark('export', '--all', '--json')).stdout);
    expect(tables).toMatchObject([{ table: 'public.invoice', state: 'committed', rows: 1 }]);
    const [rights] = await db.query(
      `select has_table_privilege($1, 'invoice', 'insert') as insert, has_schema_privilege($1, 'public', 'create') as make`,
      [role],
    );
    expect(rights).toEqual({ insert: false, make: false });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await db.query(`drop owned by ${role} cascade; drop role ${role}`);
  }
});

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

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
