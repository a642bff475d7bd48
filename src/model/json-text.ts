/** Results as JSON. Pure. */

/** JSON of a result; a bigint stays exact. */
export function jsonText(document: unknown): string {
  const exact = (_: string, value: unknown) =>
    typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value;
  return JSON.stringify(document, exact, 2);
}
