/** One large table taken out in different ways: in chunks, by several readers, over TLS, to S3; and killed in the middle. */

import { spawn } from 'node:child_process';
import { chmod, chown, copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { hasOpenssl, makeCertificates } from '../../test/support/certificates.ts';
import { ROOT } from '../../test/support/postgres-server.ts';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS } from '../../test/support/versitygw.ts';
import { type Measured, measure, median } from '../measure.ts';
import type { Section } from '../report.ts';
import { tidemarkFolder } from './contenders.ts';

const TIDEMARK = path.join(ROOT, 'bin/tidemark');
/** Pieces of about this part of the table. */
const CHUNKS = 6;

export type Large = { root: string; url: string; dataDir: string; client: pg.Client; table: string; rounds: number };

type Way = { name: string; cwd: string; env?: Record<string, string> };

export async function ways(given: Large): Promise<Section[]> {
  const { root, url, dataDir, client, table, rounds } = given;
  const { rows } = await client.query('select pg_table_size($1::regclass)::float8 as bytes', [table]);
  const chunk = Math.ceil(rows[0].bytes / CHUNKS / 2 ** 20);
  const all: Way[] = [];
  const add = async (
    name: string,
    id: string,
    more: {
      url?: string;
      connections?: number;
      chunk?: string;
      readers?: number;
      lake?: string;
      env?: Record<string, string>;
    } = {},
  ) => {
    const { connections = 2, readers = 1 } = more;
    const cwd = await tidemarkFolder(root, `way-${id}`, url);
    const lake = more.lake ?? 'lake: file:./lake';
    const source = `source:\n  url: ${more.url ?? url}\n  connections: ${connections}\n`;
    const defaults = `defaults:\n  chunk: ${more.chunk ?? '1000GB'}\n  readers: ${readers}\n`;
    await writeFile(
      path.join(cwd, 'tidemark.yaml'),
      `${source}${lake}\n${defaults}tables:\n  - table: ${table}\nstate:\n  schema: way_${id}\n`,
    );
    all.push({ name, cwd, env: more.env });
    return cwd;
  };
  await add('in one transaction, to a folder', 'one');
  const killed = await add(`in chunks of ${chunk} MB`, 'chunks', { chunk: `${chunk}MB` });
  await add('in chunks, two at once', 'two', { chunk: `${chunk}MB`, connections: 3 });
  await add('readers: 2', 'readers', { readers: 2, connections: 3 });
  if (await hasOpenssl()) {
    await using made = await makeCertificates();
    for (const file of [made.cert, made.key]) {
      const copy = path.join(dataDir, path.basename(file));
      await copyFile(file, copy);
      await chmod(copy, 0o600);
      if (process.getuid?.() === 0) await chown(copy, 65534, 65534);
      await client.query(`alter system set ssl_${file === made.cert ? 'cert' : 'key'}_file = '${path.basename(file)}'`);
    }
    await client.query('alter system set ssl = on');
    await client.query('select pg_reload_conf()');
    await add('over TLS', 'tls', { url: `${url}?sslmode=require` });
  }
  const binary = findVersitygw();
  await using s3 = binary ? await startVersitygw(binary) : null;
  if (s3) {
    const lake = `lake: s3://${s3.bucketName}/bench\ns3:\n  endpoint: ${s3.endpoint}\n  region: us-east-1\n  force_path_style: true`;
    await add('to an S3 server on this machine (versitygw)', 's3', {
      lake,
      env: { ...VERSITYGW_KEYS, AWS_EC2_METADATA_DISABLED: 'true' },
    });
  }
  const measured = new Map<Way, Measured[]>(all.map((way) => [way, []]));
  for (let round = -1; round < rounds; round++) {
    for (const way of all) {
      const taken = await measure([TIDEMARK, 'export', '--table', table, '--full'], way);
      if (round >= 0) measured.get(way)!.push(taken);
    }
  }
  const medians = all.map((way) => {
    const runs = measured.get(way)!;
    const of = (key: keyof Measured) => median(runs.map((run) => run[key]));
    return { name: way.name, wall: of('wall'), cpu: of('cpu'), rssMb: of('rssMb') };
  });
  const section = {
    title: `${table} in other ways`,
    head: ['', 'wall s', 'to the first', 'client CPU s', 'peak RSS MB'],
    rows: medians.map((way) => [
      way.name,
      way.wall.toFixed(2),
      (way.wall / medians[0].wall).toFixed(2),
      way.cpu.toFixed(2),
      way.rssMb.toFixed(0),
    ]),
  };
  return [section, await killedInTheMiddle(given, killed)];
}

/** Killed once some chunks are noted, and gone on with: what was read twice? */
async function killedInTheMiddle({ client, table }: Large, cwd: string): Promise<Section> {
  const count = async (text: string) => Number((await client.query(text)).rows[0].n);
  const read = async () => {
    await client.query('select pg_stat_force_next_flush()');
    await sleep(1_500);
    return count(`select seq_tup_read as n from pg_stat_user_tables where relid = '${table}'::regclass`);
  };
  const noted = async () =>
    (await client.query('select chunk, noted_at::text from way_chunks.run_chunk order by chunk')).rows;
  const rows = await count(`select count(*) as n from ${table}`);
  const before = await read();
  const child = spawn(TIDEMARK, ['export', '--table', table, '--full'], { cwd, stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while ((await noted()).length < CHUNKS / 2 && child.exitCode === null) await sleep(5);
  // The group: bin/tidemark may have started another Node.
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
  const atDeath = await noted();
  const readByDead = (await read()) - before;
  // Both would be waited for until the lease is over.
  await client.query('delete from way_chunks.source_slot');
  await client.query(`update way_chunks.lease set expires_at = clock_timestamp() where holder is not null`);
  const { wall } = await measure([TIDEMARK, 'export', '--table', table], { cwd });
  const readAfter = (await read()) - before - readByDead;
  return {
    title: `${table} in chunks, killed in the middle and gone on with`,
    head: ['', 'rows'],
    rows: [
      ['in the table', String(rows)],
      [`read by the first process, killed with ${atDeath.length} chunks done`, String(readByDead)],
      ['read by the second', String(readAfter)],
      [
        'of these, in chunks that were done',
        String(
          Math.max(
            0,
            readAfter - (rows - Math.round((rows * atDeath.length) / CHUNKS)) - Math.round(rows / CHUNKS / 10),
          ),
        ),
      ],
      ['wall of the second, s', wall.toFixed(2)],
    ],
  };
}
