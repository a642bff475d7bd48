/** Buttons that ask for work, and what came of the last one. Pure. */

import type { Asked } from '../daemon/board.ts';
import { type Html, html } from './html.ts';

/** `allowed`: a token is set, and whoever looks knows it. `asked`: what came of the button that led here. */
export type Doing = { allowed: boolean; asked: Asked | null };

const SAID: Record<Asked, string> = {
  queued: 'Asked for: it begins as soon as there is a place.',
  running: 'It is running already.',
  unknown: 'The daemon knows no such work: it has no schedule, or is not configured any more.',
};

export function isAsked(text: string | undefined): text is Asked {
  return text !== undefined && Object.hasOwn(SAID, text);
}

export function actions({ allowed }: Doing, buttons: { action: string; label: string }[]): Html {
  const forms = buttons.map(
    ({ action, label }) =>
      html`<form method="post" action="${action}"><button${!allowed && html` disabled aria-describedby="why-not"`}>${label}</button></form>`,
  );
  return html`<div class="do">${forms}${
    !allowed && html`<p class="quiet" id="why-not">Buttons need a <code>status.token</code> in tidemark.yaml.</p>`
  }</div>`;
}

/** Beside the parts that are replaced while somebody looks: it is about the button that led here. */
export function said({ asked }: Doing): Html {
  return html`${asked !== null && html`<p class="said-now ${asked}" role="status">${SAID[asked]}</p>`}`;
}
