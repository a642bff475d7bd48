/** The last net for secrets in answers. Invariant: a secret is found as it stands, and as HTML, JSON or a URL writes it. */

import { redact } from '../config/redact.ts';
import { html } from './html.ts';

/** `text` with `***` for each of the secrets, whatever form it has there. */
export function clean(text: string, secrets: readonly string[]): string {
  return redact(text, [...new Set(secrets.flatMap(forms))].sort(longestFirst));
}

function forms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const escaped = html`${secret}`.text;
  return [secret, json, escaped, JSON.stringify(escaped).slice(1, -1), encodeURIComponent(secret)];
}

/** Of a short one within a longer one the rest would stay. */
function longestFirst(a: string, b: string): number {
  return b.length - a.length;
}
