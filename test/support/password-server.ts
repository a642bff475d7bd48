/** A server that asks for the password in clear within TLS, as RDS does for its tokens, and keeps it for the test. */

import { readFileSync } from 'node:fs';
import net from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';

const message = (type: string, body: Buffer) => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const LOGIN_OK = Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]);
const refused = (why: string) => message('E', Buffer.from(`SFATAL\0VFATAL\0C28000\0M${why}\0\0`));

/** `refuses`: the words in which it refuses the login; without them it takes each. Speaks just enough of the protocol to be told the password, as RDS does it: in clear, within TLS. */
export async function startPasswordServer({ key, cert }: Certificates, refuses?: string) {
  const passwords: string[] = [];
  const context = createSecureContext({ key: readFileSync(key), cert: readFileSync(cert) });
  const server = net.createServer((raw) => {
    raw.on('error', () => {});
    raw.once('data', () => {
      raw.write('S');
      const socket = new TLSSocket(raw, { isServer: true, secureContext: context });
      socket.on('error', () => {});
      socket.once('data', () => {
        const cleartext = Buffer.alloc(4);
        cleartext.writeInt32BE(3);
        socket.write(message('R', cleartext));
        socket.on('data', (data) => {
          if (data.toString('latin1', 0, 1) !== 'p') return;
          passwords.push(data.toString('utf8', 5, data.length - 1));
          socket.write(refuses === undefined ? LOGIN_OK : refused(refuses));
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return { port, passwords, [Symbol.asyncDispose]: async () => void server.close() };
}
