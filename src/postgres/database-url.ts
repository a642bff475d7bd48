/**
 * Reads a database URL as libpq does. Invariant: no part of the user name or password gets into an error; a parameter that
 * we would not heed is refused, never skipped: `sslmod=verify-full` must not mean "no TLS".
 */

import { TidemarkError } from '../model/error.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export const SSL_MODES: SslMode[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** What the server must be, as libpq's target_session_attrs asks. */
export type SessionAttrs = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby';

const SESSION_ATTRS: SessionAttrs[] = ['any', 'read-write', 'read-only', 'primary', 'standby'];

/** A name, an address (IPv6 without brackets), or the folder of a Unix socket. What is undefined is pg's to find (PG*, .pgpass). */
export type HostPort = { host?: string; port?: number };

export type DatabaseUrl = {
  /** In the order to try; never empty. */
  hosts: HostPort[];
  sessionAttrs: SessionAttrs;
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
HARMLESS.push('keepalives_interval', 'keepalives_count', 'tcp_user_timeout', 'sslcompression', 'sslsni');
const HEEDED = ['host', 'port', 'user', 'password', 'dbname', 'connect_timeout', 'options', 'channel_binding', 'ssl'];
HEEDED.push('gssencmode', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'target_session_attrs');

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
  const hosts = hostsOf(address, params, decode, () => invalid('its host or port is not one', encode));
  if (!hosts.every(({ port }) => port === undefined || (port >= 1 && port <= 65535))) {
    throw invalid('its port is not a number from 1 to 65535', encode);
  }
  const sessionAttrs = (params.get('target_session_attrs') ?? 'any') as SessionAttrs;
  checkAttrs(sessionAttrs, hosts.length, invalid);
  const sslmode = params.get('sslmode') ?? (/^(true|1)$/.test(params.get('ssl') ?? '') ? 'require' : undefined);
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode as SslMode)) {
    throw invalid('its sslmode is not known', `sslmode is one of ${SSL_MODES.join(', ')}`);
  }
  checkWords(params, invalid);
  const timeout = params.get('connect_timeout');
  if (timeout !== undefined && !/^\d{1,6}$/.test(timeout))
    throw invalid('its connect_timeout is not a number of seconds');
  const given = (text: string | undefined) => (text === '' ? undefined : text);
  return {
    hosts,
    sessionAttrs,
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

/** Of the address, unless the parameters name them; one port holds for all of several hosts. */
function hostsOf(
  address: string,
  params: Map<string, string>,
  decode: Decode,
  invalid: () => TidemarkError,
): HostPort[] {
  const written = address.split(',').map((one) => addressOf(one, decode, invalid));
  const hosts = params.get('host')?.split(',') ?? written.map(({ host }) => host);
  const ports = params.get('port')?.split(',') ?? written.map(({ port }) => port);
  if (ports.length !== 1 && ports.length !== hosts.length) throw invalid();
  return hosts.map((host, i) => {
    const port = ports[ports.length === 1 ? 0 : i] || undefined;
    return {
      host: host || undefined,
      port: port === undefined ? undefined : /^\d{1,5}$/.test(port) ? Number(port) : 0,
    };
  });
}

function addressOf(address: string, decode: Decode, invalid: () => TidemarkError): { host: string; port?: string } {
  const six = /^\[([0-9A-Fa-f:.]+(?:%[^\]]*)?)\](?::(.*))?$/.exec(address);
  if (six) return { host: decode(six[1], 'host'), port: six[2] || undefined };
  const match = /^([^:]*)(?::([^:]*))?$/.exec(address);
  if (!match) throw invalid();
  const host = decode(match[1], 'host');
  // Spaces and the like that no host has.
  if (!host.startsWith('/') && /[\s,<>"'`\\^{}|[\]]/.test(host)) throw invalid();
  return { host, port: match[2] || undefined };
}

/** Parameters of which we heed one word and may ignore another. Throws CONFIG_INVALID. */
function checkWords(params: Map<string, string>, invalid: Invalid): void {
  const words = { gssencmode: ['disable', 'prefer'], channel_binding: ['disable', 'prefer', 'require'] };
  for (const [name, known] of Object.entries(words)) {
    const word = params.get(name);
    if (word !== undefined && !known.includes(word)) {
      throw invalid(`its ${name} is none that tidemark heeds`, `it is one of ${known.join(', ')}`);
    }
  }
}

/** Throws CONFIG_INVALID. */
function checkAttrs(attrs: SessionAttrs, hosts: number, invalid: Invalid): void {
  if (!SESSION_ATTRS.includes(attrs)) {
    throw invalid(
      'its target_session_attrs is not one that tidemark heeds',
      `it is one of ${SESSION_ATTRS.join(', ')}`,
    );
  }
  // One connection looks at what is under way, another reads: of two servers one may be behind, and rows would be missed.
  if (hosts > 1 && attrs !== 'read-write' && attrs !== 'primary') {
    throw invalid(
      'it names several hosts, of which any could answer',
      'add target_session_attrs=read-write: then the one that takes writes is used; a standby is named alone',
    );
  }
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
