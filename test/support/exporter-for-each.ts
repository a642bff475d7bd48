/** Who imports this has a database and an exporter of its own in each test; hooks of the file itself end before them. */

import { afterEach, beforeEach } from 'vitest';
import { createExporter, type Exporter } from './exporter.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';

export let db: TestDatabase;
export let exporter: Exporter;

beforeEach(async () => {
  db = await createDatabase();
  exporter = await createExporter(db.url);
});

afterEach(async () => {
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});
