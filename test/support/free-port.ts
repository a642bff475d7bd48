/**
 * A port for a server that is told one, or that comes back at the same one. Invariant: below those that the system gives
 * to outgoing connections, and to listeners without a wish: while the server is not there nobody gets it by chance.
 */

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

/** Linux begins at 32768, others higher. */
const [FIRST, AFTER] = [12_000, 32_000];

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, AFTER);
    const server = net.createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch {
      // Somebody listens there.
    }
  }
}
