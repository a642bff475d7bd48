/** A part of a page: a table, or why it cannot be shown. Pure. */

import type { TidemarkError } from '../model/error.ts';
import { type Html, html } from './html.ts';
import { marked } from './show.ts';
import type { Part } from './table-details.ts';

/** `head`: each column's title and class. Wider than the screen, it scrolls by itself. */
export function table(head: [string, string?][], rows: Html[]): Html {
  const titles = head.map(([name, kind]) => html`<th scope="col"${kind && html` class="${kind}"`}>${name}</th>`);
  return html`<div class="wide" tabindex="0"><table><thead><tr>${titles}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** The part, or why it cannot be shown. */
export function shownPart<T>(part: Part<T>, show: (value: T) => Html): Html {
  return 'error' in part ? errorLine(part.error) : show(part.value);
}

function errorLine({ code, message, hint }: TidemarkError): Html {
  return html`<div class="quiet"><p>Cannot be shown: <code class="code">${code}</code> ${message}</p>${hint && html`<p class="hint">${marked(hint)}</p>`}</div>`;
}

export const quiet = (text: string) => html`<p class="quiet">${text}</p>`;
