/** Counts the tests of vitest's JSON report. Invariant: exit code 0 only when tests ran, all of them passed, and vitest says so too. */

import { readFileSync } from 'node:fs';

const [file, exitCode] = process.argv.slice(2);
const text = readFileSync(file, 'utf8');
const report = text === '' ? { testResults: [] } : JSON.parse(text);
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, file: name })),
);
const count = (status) => tests.filter((test) => test.status === status).length;
// A file that cannot even be loaded has no tests that could fail.
const broken = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
);
const [passed, failed] = [count('passed'), count('failed') + broken.length];
const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');

for (const { name, message } of broken) console.log(`broken: ${name}: ${message}`);
for (const test of skipped) console.log(`skipped: ${test.file}: ${test.fullName}`);
if (exitCode === '124') console.log('the tests took longer than they may');
if (skipped.length > 0) console.log(`${skipped.length} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = passed > 0 && failed === 0 && skipped.length === 0 && exitCode === '0' ? 0 : 1;
