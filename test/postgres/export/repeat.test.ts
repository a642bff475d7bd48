import { expect, test } from 'vitest';
import type { Range } from '../../../src/model/range.ts';
import { db, exporter } from '../../support/exporter-for-each.ts';

/** From the beginning of that day, in UTC. */
const from = (day: string): Range => ({
  since: { typed: day, kind: 'instant', at: BigInt(Date.parse(day)) * 1000n, zoned: false },
  until: null,
});

/** How often each row was exported. */
async function times(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { id } of await exporter.rows('t')) found[id!] = (found[id!] ?? 0) + 1;
  return found;
}

test.each(['planned', 'uploaded', 'prepared', 'file-completed', 'completed'])(
  'a repeat that ends at %s leaves the mark where it was, and nothing of it twice',
  async (place) => {
    await db.query(`create table t (id int primary key, updated_at timestamptz)`);
    await db.query(`insert into t select i, '2026-03-01'::date + i from generate_series(1, 4) i`);
    await exporter.run('t');
    const before = await exporter.mark('t');
    const stopped = exporter.run('t', {
      range: from('2026-03-04'),
      step: async (name) => {
        if (name === place) throw new Error('the process ends here');
      },
    });
    await expect(stopped).rejects.toThrow();
    const prepared = ['prepared', 'file-completed', 'completed'].includes(place);
    await db.query(`insert into t values (5, now())`);
    // The next run completes what was prepared, and removes what was not.
    expect(await exporter.run('t')).toMatchObject({ state: 'committed', rows: 1n });
    expect(await times()).toEqual({ 1: 1, 2: 1, 3: prepared ? 2 : 1, 4: prepared ? 2 : 1, 5: 1 });
    expect((await exporter.mark('t'))!.at).toBeGreaterThan(before!.at);
  },
);

test('rows that no run has seen yet come once more with the next run, whatever their cursor says', async () => {
  await db.query(`create table t (id int primary key, updated_at timestamptz default now())`);
  await db.query(`insert into t values (1)`);
  await exporter.run('t');
  await db.query(`insert into t values (2)`);
  const before = await exporter.mark('t');
  expect(await exporter.run('t', { range: from('2026-01-01') })).toMatchObject({ rows: 2n });
  expect(await exporter.mark('t')).toEqual(before);
  expect(await exporter.run('t')).toMatchObject({ rows: 1n });
});

test.each(['timestamp', 'date'])('a cursor of type %s', async (type) => {
  await db.query(`create table t (id int primary key, updated_at ${type})`);
  await db.query(
    `insert into t select i, '2026-03-01'::date + i from generate_series(1, 4) i; insert into t values (5, null)`,
  );
  await exporter.run('t');
  expect(await exporter.run('t', { range: from('2026-03-04') })).toMatchObject({ rows: 2n });
});

test('a cursor that is counted', async () => {
  await db.query(`create table t (id int primary key, rev bigserial)`);
  await db.query(`create index on t (rev); insert into t select i from generate_series(1, 4) i`);
  const settings = { cursor: { column: 'rev' } };
  await exporter.run('t', { settings });
  const third: Range = { since: { typed: '3', kind: 'number', at: 3n }, until: null };
  expect(await exporter.run('t', { settings, range: third })).toMatchObject({ rows: 2n });
  await expect(exporter.run('t', { settings, range: from('2026-03-04') })).rejects.toMatchObject({
    code: 'REPEAT_REFUSED',
    hint: 'write a whole number',
  });
});
