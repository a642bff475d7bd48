/** COPY's text format. Pure. */

const NEWLINE = 0x0a;

/** A field of a line; NUL, which Postgres has no place for, as `\u0000`. Null: NULL. */
export function copyField(text: string | null): string {
  if (text === null) return '\\N';
  return text.replace(/[\\\n\r\t\0]/g, (c) => ESCAPES[c]);
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\\\u0000' };

/** Takes line `n`, from 1, out of rows that begin with the drop's number and the line's number. */
export function cutLine(pieces: Uint8Array[], n: number): { pieces: Uint8Array[]; number: number; line: number } {
  let seen = 0;
  for (const [i, piece] of pieces.entries()) {
    let from = 0;
    for (let to = piece.indexOf(NEWLINE); to >= 0; to = piece.indexOf(NEWLINE, from)) {
      if (++seen < n) {
        from = to + 1;
        continue;
      }
      const head = Buffer.from(piece.subarray(from, Math.min(to, from + 64))).toString('latin1');
      const [number, line] = head.split('\t').map(Number);
      const rest = [piece.subarray(0, from), piece.subarray(to + 1)].filter(({ length }) => length > 0);
      return { pieces: pieces.toSpliced(i, 1, ...rest), number, line };
    }
  }
  throw new Error(`the rows have no line ${n}`);
}
