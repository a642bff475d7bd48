/** The process: arguments, signals, exit code. Invariant: it ends at most 10 seconds after the first signal, at once after the second. */

import { errorText } from './cli/error-output.ts';
import { runProgram } from './cli/program.ts';
import { SIGNALS, type StopSignal } from './cli/stop.ts';
import { toTidemarkError } from './model/error.ts';

const FORCE_MS = 10_000;
const LINGER_MS = 2_000;

// pg's notices to its own users, such as on reading ~/.pgpass: ours can do nothing about them.
process.noDeprecation = true;

process.on('uncaughtException', (error) => {
  process.stderr.write(`${errorText(toTidemarkError(error), [])}\n`);
  process.exit(1);
});

const controller = new AbortController();
let stopped: StopSignal | null = null;
for (const signal of Object.keys(SIGNALS) as StopSignal[]) {
  process.on(signal, () => {
    if (stopped) {
      process.stderr.write(`${signal} again: stopped at once\n`);
      process.exit(SIGNALS[signal]);
    }
    stopped = signal;
    controller.abort(new DOMException(`stopped by ${signal}`, 'AbortError'));
    process.stderr.write(`${signal}: stopping; once more to stop at once\n`);
    setTimeout(() => process.exit(SIGNALS[signal]), FORCE_MS).unref();
  });
}

// A reader that has seen enough (`| head`) is no reason to leave an export in the middle.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const code = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: () => process.stdin,
  cwd: process.cwd(),
  env: process.env,
  signal: controller.signal,
  onReload: (listener) => void process.on('SIGHUP', listener),
});
process.exitCode = stopped ? SIGNALS[stopped as StopSignal] : code;
// What a command left open must not keep the process: results are written, output is drained.
setTimeout(() => process.exit(), LINGER_MS).unref();
