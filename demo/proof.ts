/** The demo is a proof: where the lake differs from Postgres it ends with an error. */

/** Throws when the two differ. */
export function expectSame(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what} differ:\n  lake:     ${a}\n  Postgres: ${b}`);
}
