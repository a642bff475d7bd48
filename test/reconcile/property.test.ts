/** Any story of writes, exports, compactions and reconciliations, some of them in the middle of one: in the end the staged table is the source. */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReconcileScene, type ReconcileScene } from '../support/reconciler.ts';

/** RECONCILE_SECONDS: play for so long. */
const SECONDS = Number(process.env.RECONCILE_SECONDS ?? 0);

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

type Write = { what: 'insert' | 'update' | 'delete' | 'move'; from: number; to: number };
type Event =
  | Write
  | { what: 'truncate' | 'export' | 'full export' | 'compact' }
  /** `meanwhile`: at that step of it. */
  | { what: 'reconcile'; meanwhile: { step: string; write: Write } | null };

const key = fc.nat(12);
const write: fc.Arbitrary<Write> = fc.record({
  what: fc.constantFrom('insert', 'insert', 'update', 'delete', 'delete', 'move'),
  from: key,
  to: key,
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: write },
  {
    weight: 7,
    arbitrary: fc.record({
      what: fc.constantFrom('export', 'export', 'export', 'compact', 'compact', 'compact', 'full export', 'truncate'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('reconcile' as const),
      meanwhile: fc.option(
        fc.record({ step: fc.constantFrom('staged-read', 'keys-read', 'compared', 'prepared'), write }),
      ),
    }),
  },
);

let tables = 0;

async function play(merge: 'rewrite' | 'vectors', events: Event[]): Promise<void> {
  const { db, exporter } = scene;
  const table = `t${++tables}`;
  const settings = { merge };
  let version = 0;
  await db.query(
    `create table ${table} (a int, b text, version int, updated_at timestamptz not null default now(), primary key (b, a))`,
  );
  const write = async ({ what, from, to }: Write) => {
    const at = (id: number) => `a = ${id % 4} and b = 'b${id >> 2}'`;
    const again = `do update set version = excluded.version, updated_at = now()`;
    version++;
    const statements = {
      insert: `insert into ${table} values (${from % 4}, 'b${from >> 2}', ${version}) on conflict (b, a) ${again}`,
      update: `update ${table} set version = ${version}, updated_at = now() where ${at(from)}`,
      delete: `delete from ${table} where ${at(from)} or ${at(to)}`,
      move: `update ${table} set a = ${to % 4}, b = 'b${to >> 2}', version = ${version}, updated_at = now() where ${at(from)}
        and not exists (select from ${table} where ${at(to)})`,
    };
    await db.query(statements[what]);
  };
  const reconcile = async (step?: (name: string) => Promise<void>) => {
    const { error } = await scene.tryReconcile(table, { settings, step, acceptDeletes: true });
    if (error) throw error;
  };
  const act = async (event: Event) => {
    switch (event.what) {
      case 'truncate':
        return await db.query(`truncate ${table}`);
      case 'export':
        return await exporter.run(table, { settings });
      case 'full export':
        return await exporter.run(table, { settings, full: true });
      case 'compact':
        return await scene.compactor.tryCompact(table, { merge });
      case 'reconcile': {
        const { meanwhile } = event;
        return await reconcile(async (name) => {
          if (meanwhile?.step === name) await write(meanwhile.write);
        });
      }
      default:
        return await write(event);
    }
  };
  for (const event of events) await act(event);
  await scene.stage(table, settings);
  await reconcile();
  await scene.compact(table, settings);
  const rows = await db.query<{ row: string }>(`select concat_ws(' ', a, b, version) as row from ${table}`);
  const staged = (await scene.compactor.rows(table)).map(({ a, b, version }) => `${a} ${b} ${version}`);
  expect(staged.sort()).toEqual(rows.map(({ row }) => row).sort());
}

/** So many stories; on a slow machine as many as there is time for. */
const STORIES = SECONDS > 0 ? 1e9 : 8;
const LONGEST_MS = SECONDS > 0 ? SECONDS * 1_000 : 20_000;

test('the staged table ends as the source', { timeout: 120_000 + LONGEST_MS }, async () => {
  const merge = fc.constantFrom('rewrite' as const, 'vectors' as const);
  const story = fc.asyncProperty(merge, fc.array(event, { minLength: 4, maxLength: 20 }), play);
  const began = performance.now();
  // Each by itself: fast-check would leave a story that it has no time for under way. A failure prints its seed.
  for (let i = 0; i < STORIES && (i === 0 || performance.now() - began < LONGEST_MS); i++)
    await fc.assert(story, { numRuns: 1, endOnFailure: SECONDS > 0 });
});
