/** The bar at the top of every page, with what the script needs to know. Pure. */

import { type Html, html, type Part } from './html.ts';

/** `live`: where the page's updates come from. `parts`: links to parts of the page. */
export function topBar({
  live,
  signedIn,
  now,
  parts,
}: {
  live: string;
  signedIn: boolean;
  now: number;
  parts?: Part;
}): Html {
  return html`<header class="top" data-live="${live}" data-now="${now}">
<p class="brand"><a href="/">tidemark</a></p>
${parts && html`<nav aria-label="Parts of this page">${parts}</nav>`}
<p class="state quiet" id="live" role="status"></p>
${signedIn && html`<form method="post" action="/logout"><button class="plain">Sign out</button></form>`}
</header>`;
}
