/** Debian's Postgres, for what the embedded one lacks: pg_resetwal, pg_basebackup, psql, pgbench. */

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'vitest';

const PLACE = '/usr/lib/postgresql';

function found(): string | null {
  if (!existsSync(PLACE)) return null;
  const versions = readdirSync(PLACE).sort((a, b) => Number(b) - Number(a));
  return (
    versions.map((version) => path.join(PLACE, version, 'bin')).find((bin) => existsSync(path.join(bin, 'initdb'))) ??
    null
  );
}

/** Throws where it is not installed. */
export function debianBinDir(): string {
  const bin = found();
  if (bin === null) throw new Error(`there is no Postgres below ${PLACE}: apt-get install postgresql`);
  return bin;
}

/** Skipped, by name, where Debian's Postgres is not installed; where nothing may be skipped it fails. */
export const testWithDebianPostgres = test.skipIf(found() === null && !process.env.TIDEMARK_NO_SKIP);
