/** Turns a URL and the environment into what pg needs. Pure. Invariant: sslmode means what it means to libpq, whatever pg makes of it. */

import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import {
  type DatabaseUrl,
  type HostPort,
  parseDatabaseUrl,
  type SessionAttrs,
  SSL_MODES,
  type SslMode,
} from './database-url.ts';

export type DatabaseRole = 'source' | 'state' | 'target';

export type Auth = 'password' | 'rds-iam';

/** A database to connect to; as the configuration names it. */
export type DatabaseConfig = {
  /** Holds the password: never print it, see redact(). */
  url: string;
  /** PEM file of the certificate authorities that the server must be signed by; null: as the URL's sslmode says. */
  caFile: string | null;
  /** Default: `password`. */
  auth?: Auth;
  /** For `rds-iam`, where the host's name does not tell it. */
  awsRegion?: string;
};

export type ConnectOptions = {
  /** Which database it is: errors are SOURCE_*, STATE_* or TARGET_*. */
  role: DatabaseRole;
  url: string;
  /** `tls.ca` of the configuration: absolute path of a PEM file. */
  caFile?: string | null;
  /** `rds-iam`: a token of AWS is the password, made for each connection; TLS is then a must. Default: `password`. */
  auth?: Auth;
  /** For `rds-iam` where the host's name does not tell it. */
  awsRegion?: string;
  /** Default `tidemark`. */
  applicationName?: string;
  /** Limit of one attempt to connect; default 10 seconds, or the URL's connect_timeout. */
  connectMs?: number;
  /** Default: process.env. */
  env?: Record<string, string | undefined>;
};

export type TlsOptions = {
  /** What to try, in order; the second one only if the server refuses the first. Through a Unix socket it is always `plain`. */
  attempts: ('tls' | 'plain')[];
  verify: 'none' | 'chain' | 'full';
  /** Whether `verify: none` becomes `chain` where `~/.postgresql/root.crt` is there. */
  checksDefaultRoot: boolean;
  /** PEM file; `system`: the roots of the machine; null: `~/.postgresql/root.crt` if it is there, else by `verify`. */
  ca: string | null;
  certFile: string | null;
  keyFile: string | null;
};

export type ConnectionPlan = {
  /** But for host and port. */
  client: pg.ClientConfig;
  /** In the order to try; never empty. */
  hosts: HostPort[];
  sessionAttrs: SessionAttrs;
  tls: TlsOptions;
  /** Null: no token is wanted. */
  token: { region: string | undefined } | null;
  /** Of one attempt, in milliseconds. */
  connectMs: number;
};

const CONNECT_MS = 10_000;
const ATTEMPTS: Record<SslMode, ('tls' | 'plain')[]> = {
  disable: ['plain'],
  allow: ['plain', 'tls'],
  prefer: ['tls', 'plain'],
  require: ['tls'],
  'verify-ca': ['tls'],
  'verify-full': ['tls'],
};

/** Everything but the files. Throws CONFIG_INVALID, without the password. */
export function connectionOptions(options: ConnectOptions): ConnectionPlan {
  const env = options.env ?? process.env;
  const url = parseDatabaseUrl(options.url, `the ${options.role}'s URL`);
  const seconds = url.connectTimeout ?? 0;
  if (options.auth === 'rds-iam') checkToken(url, options, env);
  const hosts = url.hosts.map(({ host, port }) => ({ host: host ?? (env.PGHOST || undefined), port }));
  return {
    hosts,
    sessionAttrs: url.sessionAttrs,
    token: options.auth === 'rds-iam' ? { region: options.awsRegion ?? (env.AWS_REGION || undefined) } : null,
    client: {
      user: url.user,
      password: url.password,
      database: url.database,
      options: url.options,
      enableChannelBinding: url.channelBinding,
      application_name: options.applicationName ?? 'tidemark',
      // A peer that vanished without a word is noticed by the kernel, not by a query that waits for ever.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    },
    tls: tlsOptions(url, options, env),
    connectMs: options.connectMs ?? (seconds > 0 ? seconds * 1000 : CONNECT_MS),
  };
}

function tlsOptions(url: DatabaseUrl, options: ConnectOptions, env: Record<string, string | undefined>): TlsOptions {
  const named = url.sslmode ?? modeOf(env.PGSSLMODE, options.role);
  const urlCa = url.sslrootcert ?? (env.PGSSLROOTCERT || null);
  const ca = options.caFile ?? urlCa;
  if (options.caFile && named && ['disable', 'allow', 'prefer'].includes(named)) {
    throw new TidemarkError('CONFIG_INVALID', `tls.ca asks for a verified ${options.role}, sslmode=${named} does not`, {
      hint: 'use sslmode=verify-full, or take tls.ca out',
    });
  }
  // Who names an authority wants the server checked; libpq's default (prefer) would go on without TLS if it must.
  const mode = named ?? (ca || options.auth === 'rds-iam' ? 'verify-full' : 'prefer');
  const verify =
    mode === 'verify-full' ? 'full' : mode === 'verify-ca' || (mode === 'require' && ca) ? 'chain' : 'none';
  if (ca === 'system' && verify !== 'full') {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `sslrootcert=system with sslmode=${mode} would trust any server that a public authority knows`,
      {
        hint: 'use sslmode=verify-full',
      },
    );
  }
  return {
    attempts: ATTEMPTS[mode],
    verify,
    checksDefaultRoot: mode === 'require',
    ca,
    certFile: url.sslcert ?? (env.PGSSLCERT || null),
    keyFile: url.sslkey ?? (env.PGSSLKEY || null),
  };
}

/** AWS takes tokens over TLS only, and one that went out without is a password that others may have read. */
function checkToken(url: DatabaseUrl, { role }: ConnectOptions, env: Record<string, string | undefined>): void {
  const invalid = (message: string, hint: string) => new TidemarkError('CONFIG_INVALID', message, { hint });
  const mode = url.sslmode ?? modeOf(env.PGSSLMODE, role);
  if (mode !== undefined && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw invalid(
      `auth: rds-iam needs TLS, and sslmode=${mode} of the ${role} may go without`,
      'use sslmode=verify-full with the certificates of RDS in tls.ca',
    );
  }
  const { password, user } = url;
  if (password !== undefined)
    throw invalid(
      `the ${role}'s URL has a password, and auth: rds-iam makes one`,
      'take the password out, or auth: rds-iam',
    );
  if (user === undefined && !env.PGUSER)
    throw invalid(`auth: rds-iam needs the user's name in the ${role}'s URL`, 'postgres://user@host:5432/database');
}

function modeOf(text: string | undefined, role: DatabaseRole): SslMode | undefined {
  if (!text) return undefined;
  if (SSL_MODES.includes(text as SslMode)) return text as SslMode;
  throw new TidemarkError('CONFIG_INVALID', `PGSSLMODE, which counts for the ${role}'s URL, is not a known sslmode`, {
    hint: `it is one of ${SSL_MODES.join(', ')}`,
  });
}
