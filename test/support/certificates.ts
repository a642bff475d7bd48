/** Authorities and certificates made on the spot by openssl. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Whether there is openssl; throws where nothing may be skipped. */
export async function hasOpenssl(): Promise<boolean> {
  const found = await run('openssl', ['version']).then(
    () => true,
    () => false,
  );
  if (!found && process.env.TIDEMARK_NO_SKIP) throw new Error('openssl is missing, and nothing may be skipped');
  return found;
}

export type Certificates = AsyncDisposable & {
  folder: string;
  /** Of the server, signed by `ours`, for db.example and 127.0.0.1, not for localhost. */
  key: string;
  cert: string;
  /** PEM files of authorities. */
  ours: string;
  another: string;
};

export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-tls-'));
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const file = (name: string) => path.join(folder, name);
  for (const name of ['ours', 'another']) {
    const out = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    await openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${name}`, ...out);
  }
  await openssl('req', ...NEW_KEY, '-subj', '/CN=db.example', '-keyout', 'server.key', '-out', 'server.csr');
  await writeFile(file('names'), 'subjectAltName=DNS:db.example,IP:127.0.0.1\n');
  const signed = ['-CA', 'ours.crt', '-CAkey', 'ours.key', '-days', '2', '-extfile', 'names', '-out', 'server.crt'];
  await openssl('x509', '-req', '-in', 'server.csr', ...signed);
  return {
    folder,
    key: file('server.key'),
    cert: file('server.crt'),
    ours: file('ours.crt'),
    another: file('another.crt'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
