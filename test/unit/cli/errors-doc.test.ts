import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '../../../src/model/error.ts';
import { ROOT } from '../../support/postgres-server.ts';

const text = await readFile(path.join(ROOT, 'docs/errors.md'), 'utf8');
const sections = text
  .split(/^### /m)
  .slice(1)
  .map(
    (section) => /^([A-Z_]+)\n\nExit code (\d), (retried|not retried)\. (.*)/s.exec(section) ?? [section, 'unreadable'],
  );

test('docs/errors.md has a section a code, with its exit code and whether it is retried', () => {
  const documented = sections.map(([, code, exit, retried]) => [
    code,
    { exit: Number(exit), retried: retried === 'retried' },
  ]);
  expect(Object.fromEntries(documented)).toEqual(ERRORS);
  expect(documented).toHaveLength(Object.keys(ERRORS).length);
});

test('every section says what it means and what to do', () => {
  expect(sections.filter(([, , , , words]) => (words ?? '').trim().length < 60).map(([, code]) => code)).toEqual([]);
});
