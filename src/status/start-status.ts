/** Opens the status server. Invariant: what other machines can reach asks for a token. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { TidemarkError } from '../model/error.ts';
import { createApp } from './app.ts';
import type { StatusDeps, StatusServer } from './deps.ts';
import { isLoopback } from './hosts.ts';

/** Answers that are under way when the daemon stops get so long. */
const LINGER_MS = 1_000;
/** Of a whole request; what is asked here is small. */
const REQUEST_MS = 15_000;
const CONNECTIONS = 500;

/**
 * Listens as `status.listen` says, until it is disposed of or the signal comes. Throws STATUS_TOKEN (another address than this machine's
 * own, and no token), STATUS_LISTEN.
 */
export async function startStatus(deps: StatusDeps, signal: AbortSignal): Promise<StatusServer> {
  signal.throwIfAborted();
  const { host, port, token } = deps.config().status;
  const loopback = isLoopback(host);
  const shown = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (!loopback && token === null) {
    throw new TidemarkError(
      'STATUS_TOKEN',
      `status.listen is ${shown}, which other machines can reach, and no token is set`,
      {
        hint: 'set status.token, or listen on 127.0.0.1',
      },
    );
  }
  if (token !== null && token.length < 16) {
    deps.log.warn('status.token is short: anybody can try; `openssl rand -hex 16` makes a good one');
  }
  const { app, close: closeApp } = createApp(deps, { host, loopback });
  const server = await listen(app.fetch, host, port, shown);
  const address = server.address() as AddressInfo;
  const at = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const url = `http://${at}:${address.port}`;
  deps.log.info({ url }, 'status page');
  const closed = Promise.withResolvers<void>();
  let closing = false;
  const close = () => {
    if (closing) return;
    closing = true;
    // Streams of the page end, or the server would wait for them.
    closeApp();
    server.close(() => closed.resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), LINGER_MS).unref();
  };
  signal.addEventListener('abort', close, { once: true });
  return {
    url,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', close);
      close();
      await closed.promise;
    },
  };
}

async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  hostname: string,
  port: number,
  shown: string,
): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const options = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 16_384 };
  const server = serve({ fetch, hostname, port, serverOptions: options }, () => resolve(server)) as Server;
  server.maxConnections = CONNECTIONS;
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EADDRINUSE' ? 'another process has that port' : cause.code;
    const hint = 'status.listen: another port, or 127.0.0.1:0 for any that is free';
    reject(new TidemarkError('STATUS_LISTEN', `the status page cannot listen on ${shown}: ${why}`, { cause, hint }));
  });
  return promise;
}
