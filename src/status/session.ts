/**
 * Who knows the token. Invariant: a token is compared in the same time whatever was typed; a cookie holds neither the token nor
 * anything that it can be guessed from.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a browser stays signed in. */
export const SESSION_MS = 7 * 86_400_000;

export class Sessions {
  // Of this process: after a restart a browser signs in again, and a stolen cookie says nothing about the token.
  readonly #key = randomBytes(32);

  /** Whether what was typed is the token. */
  isToken(typed: string, token: string): boolean {
    return timingSafeEqual(this.#mac(typed), this.#mac(token));
  }

  /** A cookie's value for who typed this token. */
  begin(token: string, now: number): string {
    const until = String(now + SESSION_MS);
    return `${until}.${this.#sign(until, token)}`;
  }

  /** Whether this is a cookie of begin(), not over yet and for the token as it is now. */
  isValid(cookie: string, token: string, now: number): boolean {
    const [, until, mac] = /^(\d{13,16})\.([\w-]{43})$/.exec(cookie) ?? [];
    if (until === undefined) return false;
    return timingSafeEqual(this.#mac(mac), this.#mac(this.#sign(until, token))) && Number(until) > now;
  }

  #sign(until: string, token: string): string {
    return createHmac('sha256', this.#key).update(`session\0${until}\0${token}`).digest('base64url');
  }

  // Of equal length whatever it is of.
  #mac(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}
