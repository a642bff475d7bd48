/** SQL text for DuckDB. Invariant: whatever a name or text holds, it stays one token. */

/** A quoted identifier. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal. DuckDB knows no backslash escapes in one. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** A list literal of texts. */
export function texts(values: readonly string[]): string {
  return `[${values.map(text).join(', ')}]`;
}
