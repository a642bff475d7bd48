/** The files of a TLS connection. Invariant: the server is verified as `verify` says, by the host that was dialled. */

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkServerIdentity, getCACertificates, type ConnectionOptions as NodeTls } from 'node:tls';
import { TidemarkError } from '../model/error.ts';
import type { DatabaseRole, TlsOptions } from './connect-options.ts';

/** Throws CONFIG_INVALID: a file cannot be read, or no authority is named. */
export async function tlsSettings(tls: TlsOptions, host: string | undefined, role: DatabaseRole): Promise<NodeTls> {
  const ca = tls.ca ?? (await defaultRoot());
  // As libpq: with a root.crt in its place `require` is verify-ca.
  const verify = tls.verify === 'none' && tls.checksDefaultRoot && ca !== null ? 'chain' : tls.verify;
  const settings: NodeTls = { rejectUnauthorized: verify !== 'none' };
  if (verify === 'chain' && ca === null) {
    throw new TidemarkError('CONFIG_INVALID', `sslmode=verify-ca needs to know which authority signs the ${role}`, {
      hint: 'name it: tls: { ca: ./ca.pem }, or sslrootcert=… in the URL; or use sslmode=verify-full',
    });
  }
  if (ca === 'system') settings.ca = systemRoots();
  else if (ca !== null && verify !== 'none') settings.ca = await authorities(ca, role);
  if (verify === 'chain') settings.checkServerIdentity = () => undefined;
  else {
    // By the host we dialled: for an address Node would compare the certificate with `localhost`.
    settings.checkServerIdentity = (_, certificate) => checkServerIdentity(host ?? 'localhost', certificate);
  }
  if (tls.certFile) settings.cert = await fileOf(tls.certFile, 'client certificate', role);
  if (tls.keyFile) settings.key = await fileOf(tls.keyFile, "client certificate's key", role);
  return settings;
}

/** Node takes any text for authorities, and would then find the server signed by none. */
async function authorities(file: string, role: string): Promise<string> {
  const text = await fileOf(file, 'certificate authority', role);
  if (/-----BEGIN ([A-Z0-9]+ )?CERTIFICATE-----/.test(text)) return text;
  throw new TidemarkError('CONFIG_INVALID', `the ${role}'s certificate authority: there is no certificate in ${file}`, {
    hint: 'it must be PEM; of a DER file: openssl x509 -inform der -in FILE -out ca.pem',
  });
}

/** Those of the machine (SSL_CERT_FILE and SSL_CERT_DIR count); a container without any gets those that Node brings. */
function systemRoots(): string[] {
  const roots = getCACertificates('system');
  return roots.length > 0 ? roots : getCACertificates('bundled');
}

/** libpq's default place. */
async function defaultRoot(): Promise<string | null> {
  const file = path.join(os.homedir(), '.postgresql', 'root.crt');
  return readFile(file).then(
    () => file,
    () => null,
  );
}

async function fileOf(file: string, what: string, role: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new TidemarkError('CONFIG_INVALID', `the ${role}'s ${what} cannot be read from ${file} (${why})`, {
      cause,
      hint: 'tls.ca is relative to the configuration file, sslrootcert in a URL to the current folder',
    });
  }
}
