/**
 * Who may see what. Invariant: without the token nothing is answered but health, the look of the login form, and the form; without
 * a token in the configuration this machine alone is answered, and nothing can be changed.
 */

import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { isOwnHost, originOf } from './hosts.ts';
import { loginPage } from './login-page.ts';
import { SESSION_MS, type Sessions } from './session.ts';
import type { Throttle } from './throttle.ts';

export type AccessDeps = {
  token: () => string | null;
  sessions: Sessions;
  throttle: Throttle;
  clock: () => number;
  listen: { host: string; loopback: boolean };
};

const OPEN = /^\/(healthz|readyz|login|assets\/[\w.-]+)$/;
const FOR_PROGRAMS = /^\/(api\/|metrics$|live$)/;

/** Whether the request shows the token, by cookie or as Bearer; `wait`: it guesses too often. */
type Shown = { known: boolean; bearer: boolean; waitMs: number };

export function access(deps: AccessDeps): MiddlewareHandler {
  return async (c, next) => {
    const { listen } = deps;
    if (listen.loopback && !isOwnHost(c.req.header('host'), listen.host)) {
      return c.text('421: this page is asked for by an address or as localhost\n', 421);
    }
    // A page elsewhere may lead here; it may not have this machine read files for it, by a picture or a script.
    const mode = c.req.header('sec-fetch-mode');
    if (c.req.header('sec-fetch-site') === 'cross-site' && mode !== 'navigate') {
      return c.text('403: this is not for other pages\n', 403);
    }
    const token = deps.token();
    const changes = c.req.method !== 'GET' && c.req.method !== 'HEAD';
    const shown = token === null ? null : shows(c, token, deps);
    if (changes && !shown?.bearer) {
      const [site, origin, host] = ['sec-fetch-site', 'origin', 'host'].map((name) => c.req.header(name));
      const from = originOf({ site, origin, host });
      // Who types the token is known by it; a cookie comes along with whatever a browser sends.
      if (from === 'elsewhere' || (from === 'nowhere' && c.req.path !== '/login')) {
        return c.text('403: this form is not from this page; programs send the token as Bearer\n', 403);
      }
    }
    if (OPEN.test(c.req.path)) return next();
    if (token === null) {
      // A reload of the configuration may have taken the token away.
      if (!listen.loopback) return c.text('403: set status.token\n', 403);
      if (changes) return c.text('403: set status.token, then this can be asked for\n', 403);
      return next();
    }
    if (shown?.known) return next();
    if (shown?.waitMs) return tooOften(c, shown.waitMs);
    if (changes || FOR_PROGRAMS.test(c.req.path)) {
      return c.text('401: this needs status.token\n', 401, { 'www-authenticate': 'Bearer realm="tidemark"' });
    }
    return c.html(loginPage({ next: c.req.path, wrong: false }).text, 401);
  };
}

function shows(c: Context, token: string, deps: AccessDeps): Shown {
  const { sessions, throttle, clock } = deps;
  const cookie = getCookie(c, cookieName(c));
  if (cookie !== undefined && sessions.isValid(cookie, token, clock())) {
    return { known: true, bearer: false, waitMs: 0 };
  }
  const bearer = /^bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (bearer === undefined) return { known: false, bearer: false, waitMs: 0 };
  return { bearer: true, ...guess(c, bearer, token, { sessions, throttle, clock }) };
}

function guess(
  c: Context,
  typed: string,
  token: string,
  { sessions, throttle, clock }: Pick<AccessDeps, 'sessions' | 'throttle' | 'clock'>,
): { known: boolean; waitMs: number } {
  const address = getConnInfo(c).remote.address ?? '';
  const waitMs = throttle.waitOf(address, clock());
  if (waitMs > 0) return { known: false, waitMs };
  const known = sessions.isToken(typed, token);
  if (known) throttle.succeeded(address);
  else throttle.failed(address, clock());
  return { known, waitMs: 0 };
}

/** Takes the login form. `typed`, `next`: its fields. */
export function logIn(c: Context, deps: AccessDeps, typed: string, next: string): Response {
  const token = deps.token();
  const to = /^\/(?![/\\])[\w./%~-]*$/.test(next) ? next : '/';
  if (token === null) return c.redirect(to, 303);
  const { known, waitMs } = guess(c, typed, token, deps);
  if (waitMs > 0) return tooOften(c, waitMs);
  if (!known) return c.html(loginPage({ next: to, wrong: true }).text, 401) as Response;
  setCookie(c, cookieName(c), deps.sessions.begin(token, deps.clock()), {
    ...cookieOptions(c),
    maxAge: SESSION_MS / 1000,
  });
  return c.redirect(to, 303);
}

export function logOut(c: Context): Response {
  setCookie(c, cookieName(c), '', { ...cookieOptions(c), maxAge: 0 });
  return c.redirect('/', 303);
}

/** Whether the request is one of a browser that is signed in: it can sign out. */
export function isSignedIn(c: Context, { token, sessions, clock }: AccessDeps): boolean {
  const known = token();
  return known !== null && sessions.isValid(getCookie(c, cookieName(c)) ?? '', known, clock());
}

function tooOften(c: Context, waitMs: number): Response {
  const seconds = Math.ceil(waitMs / 1000);
  return c.text(`429: too many wrong tokens; again in ${seconds} s\n`, 429, { 'retry-after': String(seconds) });
}

// Cookies know no ports: two daemons on one machine would sign each other's browsers out.
function cookieName(c: Context): string {
  const port = /:(\d{1,5})$/.exec(c.req.header('host') ?? '')?.[1];
  return port === undefined ? 'tidemark' : `tidemark_${port}`;
}

function cookieOptions(c: Context) {
  // Behind a proxy that speaks TLS.
  const secure = c.req.header('x-forwarded-proto') === 'https';
  return { httpOnly: true, sameSite: 'Strict', path: '/', secure } as const;
}

/** Whether anything can be asked for at all: who sees a button then knows the token. */
export function mayAsk({ token }: AccessDeps): boolean {
  return token() !== null;
}
