import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { debianBinDir, testWithDebianPostgres } from '../../support/debian-postgres.ts';
import { createExporter } from '../../support/exporter.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;

/** A folder that startPostgres() takes as a server's, with a copy of the primary that follows it. */
function copyOf(primary: PostgresServer): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'tidemark-standby-'));
  const ids = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (asRoot) chownSync(root, NOBODY, NOBODY);
  const args = ['-d', primary.url(), '-D', path.join(root, 'data'), '-R', '-c', 'fast', '-X', 'stream'];
  execFileSync(path.join(primary.binDir, 'pg_basebackup'), args, { ...ids, cwd: root, stdio: 'pipe' });
  return root;
}

testWithDebianPostgres(
  'from a standby the floor allows for transactions of the primary that nobody sees there',
  async () => {
    const binDir = debianBinDir();
    await using primary = await startPostgres({ binDir });
    const writer = new pg.Client({ connectionString: primary.url() });
    await writer.connect();
    await writer.query('create table t (id int primary key, updated_at timestamptz not null default now())');
    await using standby = await startPostgres({ binDir, dataDir: copyOf(primary) });
    await using exporter = await createExporter(standby.url(), { stateUrl: primary.url() });
    const replayed = async () => {
      const { rows } = await writer.query('select pg_current_wal_lsn()::text as lsn');
      const reader = new pg.Client({ connectionString: standby.url() });
      await reader.connect();
      const caughtUp = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as yes';
      while (!(await reader.query(caughtUp, [rows[0].lsn])).rows[0].yes) await new Promise((go) => setTimeout(go, 20));
      await reader.end();
    };
    await writer.query('insert into t values (1)');
    await replayed();
    await exporter.run('t');
    // Open on the primary for the whole of a run; on the standby there is no sign of it.
    await writer.query('begin; insert into t values (2)');
    await new Promise((go) => setTimeout(go, 400));
    await exporter.run('t');
    await exporter.run('t');
    await writer.query('commit');
    await replayed();
    expect(await exporter.run('t')).toMatchObject({ rows: 1n });
    await writer.end();
  },
);
