/** What every answer says to browsers: run and show nothing that is not ours, frame us nowhere, tell nobody where people come from. */

import type { MiddlewareHandler } from 'hono';

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not no-referrer: by it a form of ours would come from the origin `null`.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
  // Rows and errors are no business of a shared cache, nor of who presses Back after signing out.
  if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store');
};
