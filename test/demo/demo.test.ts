/** The first thing that a newcomer runs. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startDemo } from './demo-process.ts';

test('the demo shows which rows came late, and leaves nothing behind', async () => {
  await using demo = await startDemo();
  const { code, stdout, stderr } = await demo.ended();

  expect(stderr).toBe('');
  expect(code).toBe(0);
  const [, paid, bought] = /pays invoice (\d+); invoice (\d+) with 3 lines/.exec(stdout)!;
  const runs = stdout.split('$ tidemark export --all\n').slice(1);
  expect(runs).toHaveLength(3);
  expect(runs[0]).toMatch(/public\.invoice_line +run \d+ +4\d,\d+ rows /);
  expect(runs[1]).toMatch(/public\.playlist_track +run \d+ +10 rows /);
  expect(runs[1]).not.toContain('late)');
  expect(runs[2]).toMatch(/public\.invoice +run \d+ +2 rows \(2 late\)/);
  expect(runs[2]).toMatch(/public\.invoice_line +run \d+ +3 rows \(3 late\)/);
  expect(stdout).toContain(`Invoices ${paid} and ${bought} came late`);
  expect(stdout).toContain('Postgres answers the same');
  expect(stdout).toMatch(/public\.invoice +version 1 +through run \d+ +\+15,151 ~1 -0 rows/);
  expect(stdout).toMatch(
    new RegExp(`${paid} +paid +open +\\d+\\n +${paid} +paid +paid +\\d+\\n +${bought} +paid +paid +\\d+\\n`),
  );
  // Its file is not written again, a deletion vector is no file.
  expect(stdout).toMatch(/public\.track +version 2 +through run \d+ +\+0 ~160 -0 rows +\+1 -0 files/);
  const [, made] = /{"add": {"path": "([0-9a-f-]+\.parquet)"/.exec(stdout)!;
  expect(stdout).toContain(`{"remove": {"path": "${made}"`);
  expect(stdout).toMatch(/Iceland +25\n/);
  // What tidemark itself prints is cut on a terminal.
  const own = stdout.split('\n').filter((line) => !/^(public\.|version| +\d {2}2)/.test(line));
  expect(own.filter((line) => line.length > 80)).toEqual([]);
  expect(await demo.leftBehind()).toEqual([]);
});

test.each(['1. A shop opens', '$ tidemark export --all', '$ tidemark compact --all'])(
  'stopped at "%s" it leaves nothing behind',
  async (moment) => {
    await using demo = await startDemo();
    await demo.said(moment);
    demo.signal('SIGINT');
    const { code, stderr } = await demo.ended();
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(await demo.leftBehind()).toEqual([]);
  },
);

test('--keep leaves a shop in which the printed commands work, until Ctrl-C', async () => {
  await using demo = await startDemo('--keep');
  const text = await demo.said('Ctrl-C ends the demo.');
  const commands = text.split('Your turn')[1].matchAll(/^\$ (.*(?:\n {4,}.*)*)/gm);
  const script = [...commands].map(([, command]) => command).join('\n');
  const { stdout } = await promisify(execFile)('sh', ['-euc', script]);
  expect(stdout).toContain('UPDATE 1');
  expect(stdout).toMatch(/public\.customer +run \d+ +1 row /);
  expect(stdout).toMatch(/public\.customer +version 3 +through run \d+ +\+0 ~1 -0 rows/);
  expect(stdout).toMatch(/ 7 +Reykjavík +\d+\n +7 +Oslo +\d+\n +7 +Bergen +\d+/);
  const [folder] = /\S+\/tidemark-demo-\w+/.exec(text)!;
  for (const [, file] of text.matchAll(/(run-\d+-\w+-\d+\.parquet)/g)) {
    const found = await promisify(execFile)('find', [`${folder}/lake/raw`, '-name', file]);
    expect(existsSync(found.stdout.trim()), file).toBe(true);
  }
  demo.signal('SIGINT');
  expect((await demo.ended()).code).toBe(0);
  expect(await demo.leftBehind()).toEqual([]);
});

test('an unknown option is a mistake that says what there is', async () => {
  await using demo = await startDemo('--stay');
  const { code, stderr } = await demo.ended();
  expect(code).toBe(2);
  expect(stderr).toContain('npm run demo -- --keep');
});
