/** An S3 server on this machine whose answers take as long as if it were elsewhere. */

import net from 'node:net';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS } from '../../test/support/versitygw.ts';

export type DistantS3 = AsyncDisposable & {
  /** `lake:` and `s3:` of a configuration. */
  lake: string;
  env: Record<string, string>;
  endpoint: string;
  /** Where the server has the lake's files. */
  folder: string;
  /** How many it was asked so far. */
  requests(): number;
};

/** Each answer comes `delayMs` later than it would; null where there is no server to start. */
export async function startDistantS3(delayMs: number): Promise<DistantS3 | null> {
  const binary = findVersitygw();
  if (binary === null) return null;
  const server = await startVersitygw(binary);
  const { port } = new URL(server.endpoint);
  const sockets = new Set<net.Socket>();
  let requests = 0;
  const proxy = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => sockets.delete(socket));
      socket.on('close', end);
    }
    client.on('data', (chunk: Buffer) => {
      if (/^(GET|HEAD|PUT|POST|DELETE) /.test(chunk.toString('latin1', 0, 8))) requests++;
      upstream.write(chunk);
    });
    // Each piece by itself: what is long arrives as fast as it would, only later.
    upstream.on('data', (chunk: Buffer) => setTimeout(() => client.write(chunk), delayMs));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(proxy.address() as net.AddressInfo).port}`;
  return {
    lake: `lake: s3://${server.bucketName}/bench
s3: { endpoint: "${endpoint}", region: us-east-1, force_path_style: true }`,
    endpoint,
    env: { ...VERSITYGW_KEYS, AWS_EC2_METADATA_DISABLED: 'true' },
    folder: `${server.folder}/bench`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
      await server[Symbol.asyncDispose]();
    },
  };
}
