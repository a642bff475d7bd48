/** Stands between a client and Postgres, and cuts the connection at the moment that a test asks for. */

import net from 'node:net';

/**
 * What becomes of a message from the client: `cut` ends the connection before the server sees it; `swallow` lets the
 * server carry it out and ends the connection instead of delivering the answer.
 */
export type Verdict = 'pass' | 'cut' | 'swallow';

export type TcpProxy = AsyncDisposable & {
  /** The given URL, through the proxy; without TLS, which would hide the messages and cost a connection to refuse. */
  through(url: string): string;
  /** Judges each chunk from the client; by default everything passes. */
  judge: (message: Buffer) => Verdict;
  /** Judges each chunk from the server, likewise. */
  judgeAnswer: (answer: Buffer) => 'pass' | 'cut';
  /** How many connections it has accepted. */
  accepted: number;
};

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    proxy.accepted++;
    const upstream = net.connect(port, '127.0.0.1');
    let swallow = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (message: Buffer) => {
      const verdict = proxy.judge(message);
      if (verdict === 'cut') return end();
      if (verdict === 'swallow') swallow = true;
      upstream.write(message);
    });
    upstream.on('data', (answer: Buffer) => {
      if (swallow || proxy.judgeAnswer(answer) === 'cut') end();
      else client.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = (server.address() as net.AddressInfo).port;
  const proxy: TcpProxy = {
    through: (url) => Object.assign(new URL(url), { port: String(own), search: '?sslmode=disable' }).href,
    judge: () => 'pass',
    judgeAnswer: () => 'pass',
    accepted: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
