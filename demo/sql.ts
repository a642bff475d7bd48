/** `./sql "update …"` in a kept demo: a statement on the shop, without psql. */

import pg from 'pg';
import { show, table } from './screen.ts';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 5_000 });
try {
  await client.connect();
  const { rows, command, rowCount } = await client.query(process.argv.slice(2).join(' '));
  if (rows.length > 0) table(rows.map((row) => mapText(row)));
  show(`${command} ${rowCount ?? ''}`.trim());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await client.end().catch(() => {});
}

function mapText(row: Record<string, unknown>): Record<string, unknown> {
  const text = (value: unknown) =>
    value instanceof Date ? value.toISOString() : typeof value === 'object' ? JSON.stringify(value) : value;
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? '' : text(value)]));
}
