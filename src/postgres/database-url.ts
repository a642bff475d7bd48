/**
 * Reads a database URL as libpq does. Invariant: no part of the user name or password gets into an error; a parameter that
 * we would not heed is refused, never skipped: `sslmod=verify-full` must not mean "no TLS".
 */

import { TidemarkError } from '../model/error.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export const SSL_MODES: SslMode[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

export type DatabaseUrl = {
  /** A name, an address (IPv6 without brackets), or the folder of a Unix socket. What is undefined is pg's to find (PG*, .pgpass). */
  host?: string;
  port?: number;
  user?: string;
  password?: string;
  database?: string;
  sslmode?: SslMode;
  sslrootcert?: string;
  sslcert?: string;
  sslkey?: string;
  /** Seconds. */
  connectTimeout?: number;
  /** libpq's `options`: settings that the user wants in the startup packet. */
  options?: string;
  channelBinding: boolean;
};

/** Parameters that change nothing for us. */
const HARMLESS = ['application_name', 'fallback_application_name', 'client_encoding', 'keepalives', 'keepalives_idle'];
HARMLESS.push('keepalives_interval', 'keepalives_count', 'tcp_user_timeout', 'gssencmode', 'sslcompression', 'sslsni');
const HEEDED = ['host', 'port', 'user', 'password', 'dbname', 'connect_timeout', 'options', 'channel_binding', 'ssl'];
HEEDED.push('sslmode', 'sslrootcert', 'sslcert', 'sslkey');

const FORM = 'postgres://user@host:5432/database?sslmode=verify-full';

// The last `@` before the first `/` ends the user's part, so that an `@` in a password needs no encoding.
const URL_FORM = /^postgres(?:ql)?:\/\/(?:([^/]*)@)?([^@/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s;

/** `what` names the URL in errors: "the source's URL". Throws CONFIG_INVALID. */
export function parseDatabaseUrl(url: string, what: string): DatabaseUrl {
  const invalid = (why: string, hint?: string) =>
    new TidemarkError('CONFIG_INVALID', `${what} cannot be read: ${why}`, { hint: hint ?? `write it as ${FORM}` });
  const decode = (text: string, part: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw invalid(`a % in its ${part} is not followed by two hexadecimal digits`, 'a % itself is written %25');
    }
  };
  if (url.trim() === '') throw invalid('it is empty');
  if (!/^postgres(ql)?:\/\//.test(url)) throw invalid('it does not begin with postgres:// or postgresql://');
  const match = URL_FORM.exec(url);
  const encode = 'in a password write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25';
  if (!match) throw invalid('its parts are not in place', encode);
  const [, login = '', address = '', path = '', query = ''] = match;
  const params = queryOf(query, decode, invalid);
  const colon = login.indexOf(':');
  const [user, password] = colon < 0 ? [login] : [login.slice(0, colon), login.slice(colon + 1)];
  const { host, port } = addressOf(address, decode, () => invalid('its host or port is not one', encode));
  const portText = params.get('port') ?? port;
  if (portText !== undefined && !(/^\d{1,5}$/.test(portText) && Number(portText) >= 1 && Number(portText) <= 65535)) {
    throw invalid('its port is not a number from 1 to 65535', encode);
  }
  const sslmode = params.get('sslmode') ?? (/^(true|1)$/.test(params.get('ssl') ?? '') ? 'require' : undefined);
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode as SslMode)) {
    throw invalid('its sslmode is not known', `sslmode is one of ${SSL_MODES.join(', ')}`);
  }
  const timeout = params.get('connect_timeout');
  if (timeout !== undefined && !/^\d{1,6}$/.test(timeout))
    throw invalid('its connect_timeout is not a number of seconds');
  const given = (text: string | undefined) => (text === '' ? undefined : text);
  return {
    host: given(params.get('host') ?? host),
    port: portText === undefined ? undefined : Number(portText),
    user: given(params.get('user') ?? decode(user ?? '', 'user name')),
    password: given(params.get('password') ?? decode(password ?? '', 'password')),
    database: given(params.get('dbname') ?? decode(path, 'database name')),
    sslmode: sslmode as SslMode | undefined,
    sslrootcert: given(params.get('sslrootcert')),
    sslcert: given(params.get('sslcert')),
    sslkey: given(params.get('sslkey')),
    connectTimeout: timeout === undefined ? undefined : Number(timeout),
    options: given(params.get('options')),
    channelBinding: params.get('channel_binding') === 'require',
  };
}

type Invalid = (why: string, hint?: string) => TidemarkError;
type Decode = (text: string, part: string) => string;

function addressOf(address: string, decode: Decode, invalid: () => TidemarkError): { host: string; port?: string } {
  const six = /^\[([0-9A-Fa-f:.]+(?:%[^\]]*)?)\](?::(.*))?$/.exec(address);
  if (six) return { host: decode(six[1], 'host'), port: six[2] || undefined };
  const match = /^([^:]*)(?::([^:]*))?$/.exec(address);
  if (!match) throw invalid();
  const host = decode(match[1], 'host');
  // Several hosts, and spaces and the like that no host has.
  if (!host.startsWith('/') && /[\s,<>"'`\\^{}|[\]]/.test(host)) throw invalid();
  return { host, port: match[2] || undefined };
}

function queryOf(query: string, decode: Decode, invalid: Invalid): Map<string, string> {
  const params = new Map<string, string>();
  for (const each of query.split('&').filter((part) => part !== '')) {
    const equals = each.indexOf('=');
    const name = decode(equals < 0 ? each : each.slice(0, equals), 'parameters');
    // A `?` in a password puts a piece of it here: only what looks like a parameter's name may be repeated.
    const shown = equals > 0 && /^[a-z_]{2,30}$/i.test(name) ? `"${name}"` : 'something';
    if (HARMLESS.includes(name)) continue;
    if (!HEEDED.includes(name)) {
      throw invalid(`its parameters hold ${shown}, which is none that tidemark heeds`, `it heeds ${HEEDED.join(', ')}`);
    }
    if (equals < 0) throw invalid(`its parameter ${shown} has no value`);
    params.set(name, decode(each.slice(equals + 1), 'parameters'));
  }
  return params;
}
