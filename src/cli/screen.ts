/**
 * A few live lines at the end of a terminal. Invariant: whatever else is written through it stays above them, whole, and
 * once it is disposed of the cursor stands below the last thing written.
 */

import { stripVTControlCharacters } from 'node:util';

/** Redraws at most this often: a progress message comes for every 64 KB. */
const REDRAW_MS = 100;

export type Screen = Disposable & {
  /** Sets the live lines; those that do not fit the terminal are left out. */
  draw(lines: string[]): void;
  /** Writes text that stays, above the live lines. It ends with a newline. */
  write(text: string): void;
};

export type Terminal = { write(text: string): unknown; columns?: number; rows?: number };

export function createScreen(terminal: Terminal): Screen {
  let lines: string[] = [];
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  // Up over what was drawn, then clear to the end of the screen.
  const erase = () => (drawn > 0 ? `\x1b[${drawn}A\r\x1b[J` : '');
  const render = () => {
    const shown = lines
      .slice(0, Math.max((terminal.rows ?? 24) - 1, 1))
      .map((line) => cut(line, terminal.columns ?? 80));
    return shown.map((line) => `${line}\n`).join('');
  };
  const redraw = (above: string) => {
    const text = render();
    terminal.write(erase() + above + text);
    drawn = text === '' ? 0 : text.split('\n').length - 1;
  };
  return {
    draw(next) {
      lines = next;
      timer ??= setTimeout(() => {
        timer = undefined;
        redraw('');
      }, REDRAW_MS).unref();
    },
    write: redraw,
    [Symbol.dispose]() {
      clearTimeout(timer);
      lines = [];
      redraw('');
    },
  };
}

/** A line that wraps would be erased by half. */
function cut(line: string, columns: number): string {
  return stripVTControlCharacters(line).length < columns
    ? line
    : `${stripVTControlCharacters(line).slice(0, columns - 2)}…`;
}
