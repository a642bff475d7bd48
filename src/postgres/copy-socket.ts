/**
 * A socket that reads into one buffer of its own. Invariant: what a sink is given is overwritten by the next read; everybody
 * else gets a copy.
 */

import net from 'node:net';

/** 6,000 chunks of 64 KB, each a buffer of its own, cost more in garbage collection than in reading. */
const READ_BYTES = 256 * 1024;

export class CopySocket extends net.Socket {
  /** Takes every chunk instead of the listeners of 'data'; must be done with it when it returns. */
  sink: ((chunk: Buffer) => void) | null = null;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    super({
      onread: {
        buffer,
        callback: (bytes: number) => {
          const chunk = buffer.subarray(0, bytes);
          if (this.sink) this.sink(chunk);
          else this.emit('data', Buffer.from(chunk));
          return true;
        },
      },
    } as net.SocketConstructorOpts);
  }
}
