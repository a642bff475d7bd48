/** The demo's folder: a Postgres server, a configuration, a lake. Invariant: at its end no process and no file of it is left. */

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../test/support/postgres-server.ts';

/** A whole configuration: every table of the schema public, to a folder next to this file. */
export const CONFIG = `source: { url: \${DATABASE_URL} }
lake: file:./lake
`;

export type Stage = AsyncDisposable & {
  folder: string;
  url: string;
  /** A connection of its own; closed with the stage. */
  connect(): Promise<pg.Client>;
};

export async function buildStage(): Promise<Stage> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-demo-'));
  const clients: pg.Client[] = [];
  let server: PostgresServer | undefined;
  const remove = async () => {
    for (const client of clients) client.connection.stream.destroy();
    await server?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // The server of a demo run as root is another user's, who must get here.
    await chmod(folder, 0o755);
    await mkdir(path.join(folder, 'postgres'));
    server = await startPostgres({ dataDir: path.join(folder, 'postgres') });
    await writeFile(path.join(folder, 'tidemark.yaml'), CONFIG);
    const admin = new pg.Client({ connectionString: server.url() });
    await admin.connect();
    await admin.query('create database shop');
    await admin.end();
    const url = server.url('shop');
    return {
      folder,
      url,
      async connect() {
        const client = new pg.Client({ connectionString: url });
        // Ctrl-C reaches the server too, and it may end a connection before we do.
        client.on('error', () => {});
        await client.connect();
        clients.push(client);
        return client;
      },
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
