/** A Postgres of its own that speaks TLS with a certificate made on the spot; null when openssl is not there. */

import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '../../support/postgres-server.ts';

const run = promisify(execFile);
/** As whom startPostgres runs the server when the tests run as root. */
const NOBODY = 65534;

/** Throws under TIDEMARK_NO_SKIP where openssl is missing. */
export async function startTlsPostgres(): Promise<(AsyncDisposable & { url: string }) | null> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-copy-tls-'));
  const [key, cert] = [path.join(folder, 'server.key'), path.join(folder, 'server.crt')];
  const made = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-keyout', key, '-out', cert],
  ]).catch((error) => {
    if (process.env.TIDEMARK_NO_SKIP) throw error;
    return null;
  });
  if (!made) {
    await rm(folder, { recursive: true });
    return null;
  }
  await chmod(folder, 0o755);
  await chmod(key, 0o600);
  if (process.getuid?.() === 0) await chown(key, NOBODY, NOBODY);
  const server = await startPostgres({ settings: { ssl: 'on', ssl_key_file: key, ssl_cert_file: cert } });
  return {
    url: `${server.url()}?sslmode=require`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
