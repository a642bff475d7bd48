/** Servers that go away and come back: the daemon stays up, says so once, and catches up. */

import net from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { startS3Server } from '../support/s3-server.ts';
import { type DaemonScene, daemonScene, PATIENCE, type Running } from './scene.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server[Symbol.asyncDispose]());

const of = (daemon: Running, service: string) =>
  daemon
    .lines()
    .filter((line) => line.service === service)
    .map(({ msg }) => msg.split(';')[0]);

async function sceneAt(url?: string): Promise<DaemonScene> {
  const scene = await daemonScene(url);
  onTestFinished(() => scene[Symbol.asyncDispose]());
  await scene.table('invoice');
  return scene;
}

test('the source, which is restarted', async () => {
  // The state store is elsewhere; the scene's own connection would be lost with the server.
  const scene = await sceneAt();
  const url = server.url();
  const write = async (sql: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  await write('create table invoice (id int primary key, updated_at timestamptz not null default now())');
  await write('insert into invoice values (1)');
  await scene.configure({ source: { url }, state: { url: scene.db.url } });
  const daemon = scene.start();
  await daemon.says('compacted', { table: 'public.invoice' });
  await server.stop('immediate');
  await daemon.says('away; nothing that needs it is begun until it is back', { service: 'source', level: 'warn' });
  await server.start();
  await daemon.says('back', { service: 'source' });
  await write('insert into invoice values (2)');
  await daemon.says('compacted', { table: 'public.invoice', inserted: 1 });
  expect(of(daemon, 'source')).toEqual(['away', 'back']);
});

test('the state store, which is not there yet when it starts, and goes away later', async () => {
  const scene = await sceneAt();
  await server.stop('immediate');
  await scene.configure({ state: { url: server.url() } });
  const daemon = scene.start();
  await daemon.says('away; the daemon begins when it is there', { service: 'state' });
  await server.start();
  await daemon.says('compacted', { table: 'public.invoice' });
  await server.stop('immediate');
  await daemon.says('away; nothing that needs it is begun until it is back', { service: 'state' });
  await scene.db.query(`insert into invoice values (10, 'meanwhile', now())`);
  await server.start();
  await daemon.says('back', { service: 'state' });
  await daemon.says('compacted', { table: 'public.invoice', inserted: 1 });
  expect(of(daemon, 'state')).toEqual(['away', 'away', 'back']);
  expect(daemon.said('failed')).toEqual([]);
});

test('the lake', async () => {
  const scene = await sceneAt();
  await using s3 = await startS3Server();
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  await scene.configure({ lake: 's3://lake/p', s3: { endpoint, region: 'us-east-1', force_path_style: true } });
  const daemon = scene.start();
  await daemon.says('away; nothing that needs it is begun until it is back', { service: 'lake' });
  // From now on something listens there.
  const forwarder = net.createServer((client) => {
    const upstream = net.connect(Number(new URL(s3.endpoint).port), '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream).pipe(client);
  });
  onTestFinished(() => void forwarder.close());
  forwarder.listen(port, '127.0.0.1');
  await daemon.says('back', { service: 'lake' });
  await daemon.says('compacted', { table: 'public.invoice' });
  expect(of(daemon, 'lake')).toEqual(['away', 'back']);
  await vi.waitFor(() => expect(daemon.said('failed')).toEqual([]), PATIENCE);
});
