import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { createExporter } from '../../support/exporter.ts';
import { readWithHyparquet } from '../../support/parquet-readers.ts';
import { createDatabase } from '../../support/postgres.ts';
import { startPostgres } from '../../support/postgres-server.ts';

/** Locales whose money has two, no and three decimal places, made on the spot. */
const LOCALES = ['de_DE', 'ja_JP', 'ar_TN'];
const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-locales-'));
const made = await Promise.all(
  LOCALES.map((name) =>
    promisify(execFile)('localedef', ['-i', name, '-f', 'UTF-8', path.join(folder, `${name}.UTF-8`)]),
  ),
).catch((error) => {
  if (process.env.TIDEMARK_NO_SKIP) throw error;
  return null;
});

afterAll(() => rm(folder, { recursive: true }));

test.skipIf(!made)(
  'money is the number that lc_monetary makes of it, with its decimal places (needs localedef)',
  async () => {
    await promisify(execFile)('chmod', ['-R', 'a+rX', folder]);
    process.env.LOCPATH = folder;
    await using server = await startPostgres();
    delete process.env.LOCPATH;
    await using db = await createDatabase(server.url());
    await db.query("create table t (id int primary key, m money); insert into t values (1, '-1234567.89'), (2, '0')");
    const exported = async (locale: string) => {
      await db.query(`alter database ${db.name} set lc_monetary = '${locale}'`);
      await using exporter = await createExporter(db.url);
      const run = await exporter.run('t', { full: true });
      if (run.state !== 'committed') throw new Error('nothing was exported');
      return (await readWithHyparquet(path.join(exporter.lakeDir, run.files[0].key))).m;
    };
    // Printed $1,234,567.89 and 1.234.567,89 €.
    expect(await exported('C')).toEqual(['-1234567.89', '0.00']);
    expect(await exported('de_DE.UTF-8')).toEqual(['-1234567.89', '0.00']);
    // The same amount read with other decimal places is another number: the lake's type changes, and the table stops.
    for (const [locale, type] of [
      ['ja_JP.UTF-8', 'decimal(19,0)'],
      ['ar_TN.UTF-8', 'decimal(19,3)'],
    ]) {
      await expect(exported(locale)).rejects.toMatchObject({
        code: 'SCHEMA_CHANGED',
        message: expect.stringContaining(type),
      });
      await db.query('drop schema tidemark cascade');
      expect(await exported(locale)).toEqual(type === 'decimal(19,0)' ? ['-123456789', '0'] : ['-123456.789', '0.000']);
      await db.query('drop schema tidemark cascade');
      await exported('C');
    }
  },
);
