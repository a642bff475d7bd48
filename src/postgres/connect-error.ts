/** What a failed connection means to the user. Pure. */

import { type ErrorCode, TidemarkError } from '../model/error.ts';
import { NoChannelBinding } from './channel-binding.ts';
import type { DatabaseRole } from './connect-options.ts';
import { connectionLimit, POOLER_REFUSALS } from './connect-refusals.ts';
import { regionOf } from './rds-token.ts';
import { OtherServer } from './session-attrs.ts';

export type ConnectPlace = { role: DatabaseRole; host: string; port: number; user: string; database: string };

type Failure = { code?: string; message?: string; errors?: Failure[] };

const CODES = {
  source: {
    unreachable: 'SOURCE_UNREACHABLE',
    auth: 'SOURCE_AUTH',
    tls: 'SOURCE_TLS',
    database: 'SOURCE_DATABASE',
    grant: 'SOURCE_GRANT',
  },
  state: {
    unreachable: 'STATE_UNREACHABLE',
    auth: 'STATE_AUTH',
    tls: 'STATE_TLS',
    database: 'STATE_DATABASE',
    grant: 'STATE_GRANT',
  },
  target: {
    unreachable: 'TARGET_UNREACHABLE',
    auth: 'TARGET_AUTH',
    tls: 'TARGET_TLS',
    database: 'TARGET_DATABASE',
    grant: 'TARGET_GRANT',
  },
} as const satisfies Record<DatabaseRole, Record<string, ErrorCode>>;

const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_UNTRUSTED|INVALID_CA)$/;
const CERTIFICATE = /^(CERT_|ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO$|HOSTNAME_MISMATCH$)/;

/** The server answered, but not to TLS (or to the handshake): libpq's `prefer` then goes on without. */
export function tlsRefused(error: unknown): boolean {
  const { code = '', message = '' } = (error ?? {}) as Failure;
  if (/does not support SSL connections|error establishing an SSL connection|before secure TLS/.test(message))
    return true;
  return UNTRUSTED.test(code) || CERTIFICATE.test(code) || code === '28000';
}

/** The server wants TLS: libpq's `allow` then tries it. */
export function plainRefused(error: unknown): boolean {
  return (error as Failure | undefined)?.code === '28000';
}

/** Of the attempts at one host, with TLS and without, the failure that says most. */
export function tellingOne(failures: TidemarkError[]): TidemarkError {
  // Both refused by pg_hba.conf: "no encryption" of the one without TLS would send the user the wrong way.
  const refused = failures.every(({ cause }) => plainRefused(cause));
  const withTls = failures.find(({ message }) => !message.includes('no encryption'));
  return (refused && withTls) || failures.at(-1)!;
}

/** What is said when none of several hosts would do. */
export function noneOf(failures: TidemarkError[]): TidemarkError {
  const message = `none of the hosts would do: ${failures.map((each) => each.message).join('; ')}`;
  return new TidemarkError(failures[0].code, message, {
    cause: failures.at(-1),
    hint: 'during a failover none may; try again in a moment',
  });
}

/** SOURCE_*, STATE_* or TARGET_*, naming host and user, never a password. */
export function connectError(error: unknown, place: ConnectPlace, timedOut: number | null): TidemarkError {
  const codes = CODES[place.role];
  const cause = error as Failure;
  // Node tries every address of a name and throws all their errors in one.
  const code = cause.code ?? cause.errors?.[0]?.code ?? '';
  const message = cause.message || cause.errors?.[0]?.message || String(error);
  const where = place.host.startsWith('/')
    ? place.host
    : `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`;
  const fail = (kind: keyof (typeof CODES)['source'], what: string, hint?: string) =>
    new TidemarkError(codes[kind], `${what} (${place.role}: ${where})`, { hint, cause: error });
  const url = { source: 'source.url', state: 'state.url', target: '`target:` of the load' }[place.role];

  if (timedOut !== null) {
    return fail('unreachable', `no answer within ${timedOut / 1000} s`, 'is a firewall or security group in between?');
  }
  switch (code) {
    case 'ECONNREFUSED':
      return fail('unreachable', 'connection refused', `does Postgres run there? host and port come from ${url}`);
    case 'ENOENT':
      return fail('unreachable', 'there is no Postgres socket', `the folder and port come from ${url}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail('unreachable', 'the host name is not known', `host and port come from ${url}`);
    case '28P01':
      return fail(
        'auth',
        `user "${place.user}" was refused: wrong user or password`,
        `${url}, or PGPASSWORD, or ~/.pgpass`,
      );
    case '28000':
      return fail('auth', `user "${place.user}" was refused: ${message}`, hbaHint(message));
    case '3D000':
      return fail('database', `there is no database "${place.database}"`, `its name comes from ${url}`);
    case '42501':
      return fail('grant', message, `GRANT CONNECT ON DATABASE "${place.database}" TO "${place.user}"`);
    case '53300':
      return fail('unreachable', `the server has no connection left: ${message}`, connectionLimit(message, place));
    case '57P03':
      return fail('unreachable', `the server does not take connections now: ${message}`, 'try again in a moment');
  }
  if (cause instanceof NoChannelBinding)
    return fail('auth', message, `it needs TLS and scram-sha-256; or take channel_binding=require out of ${url}`);
  if (cause instanceof OtherServer)
    return fail('unreachable', message, `${url} asks for it; the role of a server changes in a failover`);
  // pgbouncer has one SQLSTATE for all that it refuses, what the server told it included.
  const refusal = code === '08P01' ? POOLER_REFUSALS.find(({ says }) => says.test(message)) : undefined;
  if (refusal) return fail(refusal.kind, refusal.what(message, place), refusal.hint(place, url, message));
  if (/^SASL:.*client password|password must be a string/.test(message)) {
    return fail(
      'auth',
      `the server asks for a password for user "${place.user}"`,
      `put it into ${url}, PGPASSWORD or ~/.pgpass`,
    );
  }
  if (/does not support SSL connections/.test(message)) {
    return fail(
      'tls',
      'the server has no TLS',
      'sslmode=disable or prefer goes without; else switch TLS on at the server',
    );
  }
  if (UNTRUSTED.test(code)) {
    return fail(
      'tls',
      `the server's certificate is not signed by a trusted authority (${code})`,
      regionOf(place.host) !== undefined
        ? 'RDS has authorities of its own: tls: { ca: ./global-bundle.pem }, from https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem'
        : `name its authority: tls: { ca: ./ca.pem }, or sslrootcert=… in ${url}`,
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return fail(
      'tls',
      `the server's certificate is for another host`,
      `connect by the name in the certificate, or use sslmode=verify-ca`,
    );
  }
  if (CERTIFICATE.test(code) || /TLS|SSL/.test(message)) {
    return fail('tls', `TLS failed: ${message}`, 'is the certificate in date, and is it Postgres that answers there?');
  }
  return fail(
    'unreachable',
    message === '' ? code : message,
    `is it Postgres that answers there? host and port come from ${url}`,
  );
}

function hbaHint(message: string): string {
  if (/no encryption|SSL off/.test(message)) return 'the server wants TLS: sslmode=verify-full, or at least require';
  if (/no pg_hba\.conf entry/.test(message))
    return 'pg_hba.conf of the server has no line for this user, database and address';
  // RDS checks its tokens by PAM.
  if (/^PAM authentication failed/.test(message))
    return 'with auth: rds-iam the user needs the role rds_iam, and the AWS identity rds-db:connect for it';
  return 'pg_hba.conf of the server decides';
}
