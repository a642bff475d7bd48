/** A result as aligned text. Invariant: no cell breaks its line or commands the terminal. Pure. */

import { cutTo, displayWidth } from './display-width.ts';

export type TableColumn = { name: string; right: boolean };

/** `cells`: text, or null for NULL. `width`: of the terminal; null: nothing is cut. The first line is the head. */
export function tableLines(
  columns: readonly TableColumn[],
  cells: readonly (string | null)[][],
  width: number | null,
): string[] {
  const head = columns.map(({ name }) => printable(name));
  const rows = [head, ...cells.map((row) => row.map((cell) => (cell === null ? 'NULL' : printable(cell))))];
  const widths = head.map((_, i) => rows.reduce((most, row) => Math.max(most, displayWidth(row[i])), 0));
  if (width !== null) shrink(widths, width);
  return rows.map((row) => {
    const line = row
      .map((cell, i) => pad(cutTo(cell, widths[i]), widths[i], columns[i].right))
      .join('  ')
      .trimEnd();
    return width === null ? line : cutTo(line, width);
  });
}

/** Narrower than this no column becomes; what is too wide then ends at the terminal's edge. */
const NARROWEST = 10;

/** Takes from the widest column until all fit. */
function shrink(widths: number[], width: number): void {
  const gaps = 2 * (widths.length - 1);
  for (;;) {
    const over = widths.reduce((sum, each) => sum + each, gaps) - width;
    const widest = widths.indexOf(Math.max(...widths));
    if (over <= 0 || widths[widest] <= NARROWEST) return;
    const next = Math.max(NARROWEST, ...widths.filter((each) => each < widths[widest]));
    widths[widest] = Math.max(next - 1, NARROWEST, widths[widest] - over);
  }
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? blanks + text : text + blanks;
}

const CONTROLS: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Control characters as escapes: a value could clear the screen, or look like another row. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return CONTROLS[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
  });
}
