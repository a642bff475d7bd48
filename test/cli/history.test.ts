/** `tidemark history` as it is typed. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VERSION } from '../../src/version.ts';
import { type ExportScene, expectError, exportScene } from '../support/export-scene.ts';
import { stagedTable } from '../support/staged-table.ts';

const at = (minute: number) => Date.UTC(2026, 10, 20, 10, minute, 30, 250);

let scene: ExportScene;

beforeAll(async () => {
  scene = await exportScene();
  for (const name of ['invoice', 'customer']) {
    await scene.table(name, 3);
    await scene.isWholeAfterwards(name);
  }
  const { folder, write } = await stagedTable(scene.cwd, 'invoice');
  await write({
    at: at(0),
    add: ['a', 'b'],
    run: 12n,
    info: { operationMetrics: { numTargetRowsInserted: '1234567' } },
  });
  await write({
    at: at(15),
    add: ['c'],
    remove: ['a'],
    run: 15n,
    info: {
      operation: 'MERGE',
      operationParameters: { runs: '[13,15]' },
      operationMetrics: {
        numTargetRowsInserted: '20',
        numTargetRowsUpdated: '300',
        numTargetRowsDeleted: '5',
        // A file whose deletion vector changed is added and removed in the log; nothing was written for it.
        numTargetFilesAdded: '1',
        numTargetFilesRemoved: '0',
      },
    },
  });
  // delta-rs names its counts in its own way, here as 1.6 writes them; and one that says nothing.
  const others = [
    {
      commitInfo: {
        timestamp: at(30),
        operation: 'DELETE',
        operationMetrics: { num_added_files: 1, num_removed_files: 1, num_deleted_rows: 7 },
        engineInfo: 'delta-rs:py-1.6.6',
      },
    },
    { add: { path: 'x', partitionValues: {}, size: 9, modificationTime: 1, dataChange: true } },
  ];
  const log = path.join(folder, '_delta_log');
  for (const [i, action] of others.entries()) {
    await writeFile(path.join(log, `${String(i + 2).padStart(20, '0')}.json`), `${JSON.stringify(action)}\n`);
  }
});

afterAll(() => scene[Symbol.asyncDispose]());

test('newest first: when, through which run, what came of it, whose it is', async () => {
  const { code, stdout } = await scene.run(['history', '--table', 'invoice']);
  expect(code).toBe(0);
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['version', 'time', 'runs', 'inserted', 'updated', 'deleted', 'files', 'operation', 'by'],
    ['3', '-', '-', '-', '-', '-', '+1 -0', '-', '-'],
    ['2', '2026-11-20 10:30:30+00', '-', '-', '-', '7', '+1 -1', 'DELETE', 'delta-rs:py-1.6.6'],
    ['1', '2026-11-20 10:15:30+00', '13-15', '20', '300', '5', '+1 -0', 'MERGE', `tidemark/${VERSION}`],
    ['0', '2026-11-20 10:00:30+00', '12', '1,234,567', '-', '-', '+2 -0', 'WRITE', `tidemark/${VERSION}`],
    [''],
  ]);
});

test('--json says the same, --limit how many', async () => {
  const { stdout } = await scene.run(['history', '--table', 'invoice', '--json', '--limit', '3']);
  const { tables } = JSON.parse(stdout);
  expect(tables).toHaveLength(1);
  expect(tables[0].table).toBe('public.invoice');
  expect(tables[0].versions.map(({ version }: { version: number }) => version)).toEqual([3, 2, 1]);
  expect(tables[0].versions[2]).toEqual({
    version: 1,
    time: '2026-11-20T10:15:30.250Z',
    operation: 'MERGE',
    runs: [13, 15],
    through_run: 15,
    inserted: 20,
    updated: 300,
    deleted: 5,
    files_added: 1,
    files_removed: 0,
    bytes_written: 5,
    engine: `tidemark/${VERSION}`,
  });
  expect(tables[0].versions[0]).toMatchObject({
    time: null,
    operation: null,
    runs: [],
    through_run: null,
    engine: null,
  });
});

test('what was typed wrong, or is not there yet', async () => {
  const missing = await scene.run(['history', '--table', 'customer']);
  expectError(missing, { exit: 2, code: 'STAGED_MISSING', says: /customer/, hint: /compact --table public\.customer/ });
  const limit = await scene.run(['history', '--table', 'invoice', '--limit', '0']);
  expectError(limit, { exit: 2, code: 'USAGE', says: /--limit/, hint: /whole number/ });
  expectError(await scene.run(['history']), { exit: 2, code: 'USAGE', says: /which table/, hint: /--table/ });
});
