import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchOf, drop, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

/** Of a row: its key, its name; `fate`: which of the table's rules it breaks, if any. */
type ModelRow = { id: number; name: string; fate: 'good' | 'check' | 'foreign' | 'trigger' | 'long' };

const AMOUNTS = { good: 1, check: -1, foreign: 99, trigger: 13, long: 2 };
const rows = fc.array(
  fc.record({
    id: fc.integer({ min: 1, max: 12 }),
    name: fc.constantFrom('a', 'b', 'c'),
    fate: fc.oneof(
      { weight: 6, arbitrary: fc.constant('good' as const) },
      { weight: 3, arbitrary: fc.constantFrom('check', 'foreign', 'trigger', 'long') },
    ),
  }) as fc.Arbitrary<ModelRow>,
  { maxLength: 8 },
);
/** Each load brings some drops, under few keys, so that they are overwritten: content is told by its etag. */
const loads = fc.array(
  fc.array(fc.record({ key: fc.constantFrom('k1', 'k2', 'k3', 'k4'), rows, dead: fc.boolean() }), { maxLength: 5 }),
  { minLength: 1, maxLength: 4 },
);

test.each(['nothing', 'update'] as const)(
  'any mix of good, bad, repeated and overwritten drops ends as a plain model says (%s)',
  async (onConflict) => {
    await using db = await createDatabase();
    await db.query(`create table amounts (amount int primary key); insert into amounts values (1), (2), (-1), (13);
    create table events (id bigint primary key, name varchar(1), amount int check (amount > 0) references amounts);
    create function no13() returns trigger language plpgsql as $$ begin if new.amount = 13 then raise exception 'never 13'; end if; return new; end $$;
    create trigger t before insert on events for each row execute function no13()`);
    const columns = ['id bigint', 'name text', 'amount int'].map((each) => {
      const [name, type] = each.split(' ');
      return { name, type, path: [name], required: false, default: undefined };
    });
    await fc.assert(
      fc.asyncProperty(loads, async (all) => {
        await db.query('truncate events; drop schema if exists tidemark cascade');
        await using target = await openTarget(settingsOf(db.url, { onConflict, columns }));
        const table = new Map<number, string>();
        const ledger = new Map<string, { etag: string; state: string; rowsIn: number }>();
        for (const drops of all) {
          const unique = [...new Map<string, (typeof drops)[0]>(drops.map((each) => [each.key, each])).values()];
          const etags = new Map<string, string>(unique.map((each) => [each.key, JSON.stringify(each)]));
          const claimed = await target.claim(
            unique.map(({ key }) => drop(key, etags.get(key))),
            never,
          );
          const fresh = unique.filter(({ key }) => ledger.get(key)?.etag !== etags.get(key));
          expect(claimed.map(({ key }) => key).sort()).toEqual(fresh.map(({ key }) => key).sort());
          for (const { key } of claimed) {
            const before = ledger.get(key);
            expect(claimed.find((each) => each.key === key)!.overwritten || before?.state !== 'loaded').toBe(true);
          }
          const byKey = new Map<string, (typeof drops)[0]>(unique.map((each) => [each.key, each]));
          const batch = batchOf(claimed, (key) =>
            byKey.get(key)!.rows.map(({ id, name, fate }) => [id, fate === 'long' ? 'too long' : name, AMOUNTS[fate]]),
          );
          for (const entry of batch) if (byKey.get(entry.drop.key)!.dead) entry.read = { state: 'dead', reason: 'cut' };
          const outcome = await target.load(batch, originals, never);
          let written = 0;
          for (const { key } of claimed) {
            const { rows: its, dead } = byKey.get(key)!;
            ledger.set(key, { etag: etags.get(key)!, state: dead ? 'dead' : 'loaded', rowsIn: dead ? 0 : its.length });
            for (const { id, name, fate } of dead ? [] : its) {
              if (fate !== 'good' || (table.has(id) && onConflict === 'nothing')) continue;
              if (!table.has(id)) written++;
              table.set(id, name);
            }
          }
          for (const each of outcome.drops) {
            const { rows: its, dead } = byKey.get(each.key)!;
            const { rowsIn, rowsOut, rejected, known } = each.counts;
            expect([rowsIn, rowsOut + rejected]).toEqual(dead ? [0, 0] : [its.length, its.length]);
            // A bad row that a good one of its key hides is never tried: it may count as known instead.
            if (!dead) expect(rowsOut).toBeGreaterThanOrEqual(its.filter(({ fate }) => fate === 'good').length);
            expect(known).toBeLessThanOrEqual(rowsOut);
          }
          const out = outcome.drops.reduce((sum, { counts }) => sum + counts.rowsOut - counts.known, 0);
          if (onConflict === 'nothing') expect(out).toBe(written);
          else expect(out).toBeGreaterThanOrEqual(written);
        }
        const found = await db.query<{ id: string; name: string }>('select id, name from events order by id');
        expect(found).toEqual([...table].sort(([a], [b]) => a - b).map(([id, name]) => ({ id: String(id), name })));
        const lines = await db.query(
          `select key, state, rows_in::int as "rowsIn" from tidemark.load_drop order by key`,
        );
        expect(lines).toEqual(
          [...ledger].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { state, rowsIn }]) => ({ key, state, rowsIn })),
        );
        const [{ texts, counted }] = await db.query<{ texts: number; counted: number }>(
          `select (select count(*)::int from tidemark.load_reject r join tidemark.load_drop d using (key, etag)) as texts,
           (select coalesce(sum(rows_rejected), 0)::int from tidemark.load_drop) as counted`,
        );
        // A drop that came back to earlier content has its rejects twice.
        expect(texts).toBeGreaterThanOrEqual(counted);
      }),
      { numRuns: Number(process.env.RUNS ?? 15) },
    );
  },
);
