/** JSON numbers with all their digits. Invariant: none of these goes through a JavaScript number. TypeScript's libraries do not know the two means yet. */

/** A number that JSON.stringify writes as it is given. */
export function rawNumber(digits: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits);
}

/** A number's text, from the third argument of JSON.parse's reviver. */
export function sourceOf(context: unknown): string | undefined {
  return (context as { source?: string } | undefined)?.source;
}

/** Parses; each number is its own text. Throws a SyntaxError. */
export function parseNumbersAsText(json: string): unknown {
  return JSON.parse(json, (_, value, ...[context]: unknown[]) =>
    typeof value === 'number' ? sourceOf(context) : value,
  );
}

/** The text of an object, with more members; its numbers as they were written. */
export function withMembers(json: string, members: Record<string, unknown>): string {
  const exact = JSON.parse(json, (_, value, ...[context]: unknown[]) =>
    typeof value === 'number' ? rawNumber(sourceOf(context)!) : value,
  );
  return JSON.stringify({ ...exact, ...members });
}
