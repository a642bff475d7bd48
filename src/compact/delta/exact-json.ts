/** JSON whose numbers keep all their digits. Invariant: no number becomes a JavaScript number. */

// V8 has both since 2023; TypeScript's libraries do not know them yet.
type Reviver = (this: unknown, key: string, value: unknown, context: { source: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
const { rawJSON } = JSON as unknown as { rawJSON: (json: string) => object };

/** Parses; each number is its own text. Throws a SyntaxError. */
export function parseNumbersAsText(json: string): unknown {
  return parse(json, (_, value, { source }) => (typeof value === 'number' ? source : value));
}

/** The text of an object, with more members; its numbers as they were written. */
export function withMembers(json: string, members: Record<string, unknown>): string {
  const exact = parse(json, (_, value, { source }) => (typeof value === 'number' ? rawJSON(source) : value));
  return JSON.stringify({ ...(exact as object), ...members });
}
