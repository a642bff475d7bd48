import { expect, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';

test('a database of its own', async () => {
  await using db = await createDatabase();
  const r = await db.role();
  expect(await db.query('select 1 as one')).toEqual([{ one: 1 }]);
  expect(r.url).toContain(r.name);
});
