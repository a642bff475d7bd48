import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { errorParts, errorText } from '../../../src/cli/error-output.ts';
import { createLog } from '../../../src/cli/log.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { createScreen } from '../../../src/cli/screen.ts';
import { TidemarkError, toTidemarkError } from '../../../src/model/error.ts';

class Sink extends Writable {
  text = '';
  override _write(chunk: Buffer, _: string, done: () => void) {
    this.text += chunk;
    done();
  }
}

test('text without --json, one document with it; bigints stay exact', () => {
  const [text, json] = [new Sink(), new Sink()];
  const plain = createOutput(text, { json: false, colors: false });
  plain.line(plain.style('red', 'hello'));
  plain.json({ a: 1 });
  expect(text.text).toBe('hello\n');
  const document = createOutput(json, { json: true, colors: true });
  document.line('hello');
  document.json({ small: 5n, big: 2n ** 60n });
  expect(JSON.parse(json.text)).toEqual({ small: 5, big: String(2n ** 60n) });
  expect(createOutput(new Sink(), { json: false, colors: true }).style('red', 'x')).toBe('\x1b[31mx\x1b[39m');
});

test('an error is one line, with its place, a hint and a page', () => {
  const error = new TidemarkError('VALUE_UNFIT', 'NaN has\nno place', {
    hint: 'on_unfit',
    table: 'app.t',
    column: 'c',
    key: '(1)',
  });
  expect(errorText(error, [])).toBe(
    'VALUE_UNFIT: NaN has no place (table app.t, column c, key (1))\nhint: on_unfit\ndocs: docs/errors.md#value_unfit',
  );
  expect(errorParts(error, [])).toEqual({
    code: 'VALUE_UNFIT',
    message: 'NaN has no place',
    hint: 'on_unfit',
    table: 'app.t',
    column: 'c',
    key: '(1)',
    docs: 'docs/errors.md#value_unfit',
  });
  expect(errorText(new TidemarkError('TABLE_UNKNOWN', 'there is no table app.t', { table: 'app.t' }), [])).toBe(
    'TABLE_UNKNOWN: there is no table app.t\ndocs: docs/errors.md#table_unknown',
  );
});

test('what is not ours is INTERNAL; secrets are in none of it', () => {
  const error = toTidemarkError(new TypeError('x of postgres://u:topsecret@h is no function, hushhush'));
  expect(error).toMatchObject({ code: 'INTERNAL', hint: expect.stringContaining('--log-level debug') });
  expect(errorText(error, ['hushhush'])).toContain('INTERNAL: x of postgres://u:***@h is no function, ***');
});

test('the log hides secrets, and keeps stacks for debug', async () => {
  const lines: string[] = [];
  const log = async (level: string, pretty: boolean) =>
    createLog((text) => lines.push(text), { level, pretty, colors: false, secrets: ['hushhush'] });
  const err = new TidemarkError('SOURCE_LOST', 'gone', { hint: 'again', cause: new Error('reset, hushhush') });
  (await log('info', false)).warn({ err, table: 'hushhush' }, 'failed');
  expect(JSON.parse(lines[0])).toMatchObject({
    level: 'warn',
    table: '***',
    msg: 'failed',
    err: { code: 'SOURCE_LOST', message: 'gone', hint: 'again', cause: 'reset, ***' },
  });
  expect(lines[0]).not.toContain('at ');
  (await log('debug', false)).warn({ err }, 'failed');
  expect(lines[1]).toContain('output.test.ts');
  expect(lines[1]).not.toContain('hushhush');
  (await log('info', true)).info({ run: 5 }, 'hello hushhush');
  expect(lines[2]).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: hello \*\*\* \{"run":5\}\n$/);
});

/** What a terminal of this width shows after the text was written to it. */
function shown(text: string): string[] {
  const lines = [''];
  let row = 0;
  for (let at = 0; at < text.length; at++) {
    const up = /^\x1b\[(\d+)A/.exec(text.slice(at));
    if (up) {
      row -= Number(up[1]);
      at += up[0].length - 1;
    } else if (text.startsWith('\x1b[J', at)) {
      lines.splice(row);
      lines[row] = '';
      at += 2;
    } else if (text[at] === '\n') lines[++row] ??= '';
    else if (text[at] !== '\r') lines[row] += text[at];
  }
  return lines;
}

test('live lines are redrawn in place, what is written stays above them, and at the end they are gone', async () => {
  let text = '';
  const terminal = { columns: 20, rows: 4, write: (more: string) => (text += more) };
  const screen = createScreen(terminal);
  screen.draw(['a 1', 'b 1']);
  screen.write('log 1\n');
  expect(shown(text)).toEqual(['log 1', 'a 1', 'b 1', '']);
  screen.draw(['a 2', 'b 2', 'c 2 is a line that does not fit', 'd', 'e']);
  screen.write('log 2\n');
  expect(shown(text)).toEqual(['log 1', 'log 2', 'a 2', 'b 2', 'c 2 is a line that…', '']);
  screen[Symbol.dispose]();
  expect(shown(text)).toEqual(['log 1', 'log 2', '']);
});
