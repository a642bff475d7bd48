/** The form that asks for the token. Pure. */

import { document } from './document.ts';
import { type Html, html } from './html.ts';

export function loginPage({ next, wrong }: { next: string; wrong: boolean }): Html {
  return document(
    { title: 'Sign in', scripts: ['login.js'] },
    html`<main class="login">
<h1>tidemark</h1>
<form method="post" action="/login">
<input type="hidden" name="next" value="${next}">
<input name="username" autocomplete="username" value="tidemark" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus${
      wrong ? html` aria-invalid="true" aria-describedby="wrong"` : ''
    }>
${wrong && html`<p id="wrong" class="bad" role="alert">That is not the token.</p>`}
<button type="submit">Sign in</button>
<p class="quiet">It is <code>status.token</code> of tidemark.yaml.</p>
</form>
</main>`,
  );
}
