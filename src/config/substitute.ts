/**
 * Fills `${NAME}` in. Invariant: a value is put into a parsed text, never into the file's text, so that no password
 * changes what the YAML says. Unset variables are errors wherever they stand: what a file means must not hang on the command.
 */

/** `${NAME}` or `${NAME:-default}`; a default has no `}`. */
const REFERENCE = /\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}\n]*)?\}/g;
const PARTS = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:-)([^}]*))?\}|\$\{/g;

// In `{ url: ${NAME} }` YAML would take the braces for its own.
const SPECIAL = '{}[],:# ';
const MASKED = 0xe000;

/** The same text, as long as before, with the references made plain to YAML. */
export function mask(text: string): string {
  return text.replaceAll(REFERENCE, (reference) =>
    [...reference].map((c) => (SPECIAL.includes(c) ? String.fromCharCode(MASKED + SPECIAL.indexOf(c)) : c)).join(''),
  );
}

/** Undoes mask(). */
export function unmask(text: string): string {
  return text.replaceAll(/\$\ue000[^\ue001]*\ue001/g, (reference) =>
    reference.replaceAll(/[\ue000-\ue007]/g, (c) => SPECIAL[c.charCodeAt(0) - MASKED]),
  );
}

export type Substituted = { text: string; missing: string[]; malformed: boolean };

/** `$${` becomes `${`. An empty variable counts as set, except where there is a default (as in a shell). */
export function substitute(text: string, env: Record<string, string | undefined>): Substituted {
  const missing: string[] = [];
  let malformed = false;
  const filled = text.replaceAll(PARTS, (found: string, name?: string, hasDefault?: string, fallback = '') => {
    if (found === '$${') return '${';
    if (name === undefined) {
      malformed = true;
      return found;
    }
    const value = env[name];
    if (hasDefault) return value || fallback;
    if (value === undefined) missing.push(name);
    return value ?? '';
  });
  return { text: filled, missing, malformed };
}
