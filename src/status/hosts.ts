/** Which hosts a request may come by. Pure. */

import { isIP } from 'node:net';

/** Whether only this machine can reach what listens there. A name counts when it is `localhost`. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1' || host.startsWith('::ffff:127.');
}

/**
 * Whether a Host header is one that this page is asked for by. A page elsewhere can have its own name resolve to 127.0.0.1 and then
 * read what answers (DNS rebinding): its name gives it away.
 */
export function isOwnHost(header: string | undefined, listenHost: string): boolean {
  const host = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(header ?? '')?.[1]?.toLowerCase();
  if (host === undefined) return false;
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return isIP(bare) !== 0 || host === 'localhost' || host === listenHost.toLowerCase();
}

/** Where a POST comes from. Browsers say so in Sec-Fetch-Site or in Origin; `nowhere` is no browser's form. */
export function originOf(headers: {
  site: string | undefined;
  origin: string | undefined;
  host: string | undefined;
}): 'ours' | 'elsewhere' | 'nowhere' {
  const { site, origin, host } = headers;
  if (site !== undefined) return site === 'same-origin' ? 'ours' : 'elsewhere';
  if (origin === undefined) return 'nowhere';
  const from = URL.parse(origin)?.host;
  return from !== undefined && from === host?.toLowerCase() ? 'ours' : 'elsewhere';
}
