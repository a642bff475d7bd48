/** A database of its own in the shared server, dropped at the end. */

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

export type TestDatabase = AsyncDisposable & {
  name: string;
  /** Superuser URL. */
  url: string;
  client: pg.Client;
  /** Rows of a statement run as superuser. */
  query<R extends pg.QueryResultRow = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>;
  /** URL of a fresh role without rights, dropped with the database. */
  role(): Promise<{ name: string; url: string }>;
};

export async function createDatabase(serverUrl: string = inject('postgresUrl')): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const roles: string[] = [];
  return {
    name,
    url,
    client,
    query: async <R extends pg.QueryResultRow>(text: string, values?: unknown[]) =>
      (await client.query<R>(text, values as never)).rows,
    async role() {
      const role = `r_${randomBytes(6).toString('hex')}`;
      await client.query(`create role ${role} login password 'hushhush'`);
      roles.push(role);
      return { name: role, url: Object.assign(new URL(url), { username: role, password: 'hushhush' }).href };
    },
    async [Symbol.asyncDispose]() {
      await client.end();
      await admin.query(`drop database ${name} with (force)`);
      for (const role of roles) await admin.query(`drop role if exists ${role}`);
      await admin.end();
    },
  };
}
