/** Copies of whole databases within one server: how a source and a state store are set back. Transaction ids stay those of the server. */

import pg from 'pg';
import type { PostgresServer } from '../../test/support/postgres-server.ts';

/** Nobody may be connected to `from`; `to` is replaced. file_copy is the faster for gigabytes, wal_log for megabytes. */
export async function copyDatabase(
  server: PostgresServer,
  from: string,
  to: string,
  how: 'file_copy' | 'wal_log',
): Promise<void> {
  await dropDatabase(server, to);
  await asAdmin(server, (client) => client.query(`create database ${to} template ${from} strategy ${how}`));
}

export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  await asAdmin(server, (client) => client.query(`drop database if exists ${name} with (force)`));
}

export async function createDatabase(server: PostgresServer, name: string): Promise<void> {
  await asAdmin(server, (client) => client.query(`create database ${name}`));
}

function asAdmin(server: PostgresServer, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  return connected(server.url(), work);
}

export async function connected(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
