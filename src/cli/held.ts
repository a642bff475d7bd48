/** What a command says of a table that it had to leave alone. Pure. */

import { toSecond } from '../model/format.ts';
import type { Held } from '../state/leases.ts';

export function heldJson({ holder, expiresAt, pausedSince }: Held) {
  return pausedSince === undefined
    ? { holder, expires_at: expiresAt }
    : { holder: null, expires_at: null, paused_by: holder, paused_since: pausedSince };
}

/** After the word `held`. */
export function heldText({ holder, pausedSince }: Held): string {
  return pausedSince === undefined ? `by ${holder}` : `paused by ${holder} since ${toSecond(pausedSince)}`;
}
