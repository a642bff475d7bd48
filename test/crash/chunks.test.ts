/** Killed at every named step of an export in chunks: the next one goes on, reads no chunk again, and no version is lost or doubled. */

import { describe, expect, test } from 'vitest';
import { CHANGED, CHUNKS, change, createLargeTable, IN_CHUNKS, ROWS, type Scene } from './scene.ts';
import { type At, inPairs, placesIn, stage, stepsNamedIn } from './stage.ts';

const kept = stage(createLargeTable, IN_CHUNKS);
const { newScene, newTable, dies, struck } = kept;

/** Uploads of the chunks that are noted, by the chunk. */
async function noted(table: string): Promise<Map<number, string[]>> {
  const rows = await kept.db.query<{ chunk: number; ids: string[] }>(
    `select chunk, array(select f->'upload'->>'id' from jsonb_array_elements(run_chunk.files) f) as ids
     from tidemark.run_chunk join tidemark.run using (run) join tidemark.source_table t on t.id = table_id
     where folder = $1 order by chunk`,
    [table],
  );
  return new Map(rows.map(({ chunk, ids }) => [chunk, ids]));
}

/** Its rows become those of a partition, the only one. */
async function makePartitioned(table: string): Promise<void> {
  await kept.db.query(`alter table ${table} rename to ${table}_old`);
  await kept.db.query(`create table ${table} (like ${table}_old including all) partition by range (id)`);
  await kept.db.query(`alter table ${table} attach partition ${table}_old for values from (0) to (${ROWS + 1})`);
}

/** As large as the first one, with rows that are older than any floor. */
async function attachLarge(table: string): Promise<void> {
  await kept.db.query(`create table ${table}_new (like ${table} including all)`);
  await kept.db.query(
    `insert into ${table}_new (id, updated_at) select 100 + i, '2001-01-01' from generate_series(1, ${ROWS}) i`,
  );
  await kept.db.query(`alter table ${table} attach partition ${table}_new for values from (100) to (200)`);
}

/** Uploads of the manifest. */
async function manifest(table: string): Promise<string[]> {
  const rows = await kept.db.query<{ id: string }>(
    `select upload->>'id' as id from tidemark.raw_file join tidemark.run using (run) join tidemark.source_table t on t.id = table_id
     where folder = $1`,
    [table],
  );
  return rows.map(({ id }) => id);
}

/** Exports, and checks that what was noted by then was not read again. */
async function goesOn(on: Scene, table: string): Promise<string[]> {
  const before = await noted(table);
  const steps: string[] = [];
  expect(await on.run(table, async (name) => void steps.push(name))).not.toMatchObject({ state: 'failed' });
  expect(await manifest(table)).toEqual(expect.arrayContaining([...before.values()].flat()));
  expect(await noted(table)).toEqual(new Map());
  if (before.size > 0) expect(steps.filter((step) => step === 'chunk-uploaded')).toHaveLength(CHUNKS - before.size);
  return steps;
}

describe.each(['folder', 'bucket'])('lake in a %s', (kind) => {
  test('killed at each step, rows change, and the next one goes on', async () => {
    const { on } = await newScene(kind);
    const names: string[] = [];
    await on.run(await newTable(), async (name) => void names.push(name));
    expect(names.filter((name) => name === 'chunk-noted')).toHaveLength(CHUNKS);
    const isLast = ({ step, nth }: At) => names.filter((name) => name === step).length === nth;
    // A bucket costs a process more: there only what is about chunks.
    const cases = placesIn(names).filter((at) =>
      kind === 'folder' ? at.nth <= 2 || isLast(at) : isLast(at) && /chunk|uploaded|prepared/.test(at.step),
    );
    await inPairs(cases, async (at) => {
      const table = await newTable();
      await dies(on, table, at);
      const before = await on.versions(table);
      const committed = ['prepared', 'file-completed', 'completed', 'committed'].includes(at.step);
      const done = (await noted(table)).size;
      await change(kept.db, table);
      await goesOn(on, table);
      // The mark is from before the changes; so another run has them, unless the run itself began after them.
      const more = await on.run(table);
      const after = await on.versions(table);
      const found = await on.found(table);
      expect(found).toEqual(expect.arrayContaining(after));
      expect(found).toHaveLength(new Set(found).size);
      for (const version of found) expect([...before, ...after]).toContain(version);
      if (committed || done === CHUNKS) expect(found).toHaveLength(ROWS + CHANGED);
      expect(['nothing', 'committed']).toContain(more.state);
      await on.isWhole(table, found);
    });
  });

  test.each([
    ['a table that was made anew', CHUNKS, ROWS],
    // The others are one chunk more, in which half of the rows have changed.
    ['a partition that was attached', CHUNKS + 1, ROWS + CHANGED],
  ])('%s: killed at some steps, the next one goes on', async (what, chunks, rows) => {
    const { on } = await newScene(kind);
    const places: At[] = [
      { step: 'chunk-noted', nth: 1 },
      { step: 'chunk-uploaded', nth: 3 },
      { step: 'planned', nth: 1 },
      { step: 'prepared', nth: 1 },
    ];
    await inPairs(kind === 'folder' ? places : places.slice(0, 2), async (at) => {
      const table = await newTable();
      if (what.includes('partition')) await makePartitioned(table);
      await on.run(table);
      const old = await on.versions(table);
      if (what.includes('partition')) {
        await change(kept.db, table);
        await attachLarge(table);
      } else {
        await kept.db.query(`drop table ${table}`);
        await createLargeTable(kept.db, table);
      }
      await dies(on, table, at);
      const before = await noted(table);
      const steps: string[] = [];
      const outcome = await on.run(table, async (name) => void steps.push(name));
      // One that was prepared is completed first; nothing is left for a run of its own.
      expect(outcome).toMatchObject(at.step === 'prepared' ? { state: 'nothing' } : { rows: BigInt(rows) });
      const again = at.step === 'prepared' ? 0 : chunks - before.size;
      expect(steps.filter((step) => step === 'chunk-uploaded')).toHaveLength(again);
      expect(await manifest(table)).toEqual(expect.arrayContaining([...before.values()].flat()));
      await on.isWhole(table, [...new Set([...old, ...(await on.versions(table))])]);
    });
  });

  test('killed again and again on the way, it arrives', async () => {
    const { on } = await newScene(kind);
    const table = await newTable();
    const chain: At[] = [
      { step: 'chunk-noted', nth: 1 },
      { step: 'leftovers-aborted', nth: 1 },
      { step: 'chunk-uploaded', nth: 1 },
      { step: 'upload-started', nth: 2 },
      { step: 'chunk-noted', nth: 2 },
      { step: 'uploaded', nth: 1 },
    ];
    for (const at of chain) await dies(on, table, at);
    expect((await noted(table)).size).toBe(CHUNKS);
    await goesOn(on, table);
    await on.isWhole(table, await on.versions(table));
  });

  test('chunks whose uploads have expired are read again, the others are not', async () => {
    const { on, lake } = await newScene(kind);
    const table = await newTable();
    await dies(on, table, { step: 'chunk-noted', nth: 2 });
    const [first, second] = [...(await noted(table)).values()];
    await lake.expire(table, (id) => second.includes(id));
    const steps: string[] = [];
    await on.run(table, async (name) => void steps.push(name));
    expect(steps.filter((step) => step === 'chunk-uploaded')).toHaveLength(CHUNKS - 1);
    expect(await manifest(table)).toEqual(expect.arrayContaining(first));
    await on.isWhole(table, await on.versions(table));
  });

  test('an upload that expires once all is prepared: the whole run is made again', async () => {
    const { on, lake } = await newScene(kind);
    const table = await newTable();
    await dies(on, table, { step: 'file-completed', nth: 2 });
    await lake.expire(table);
    expect(await on.run(table)).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
    await on.isWhole(table, await on.versions(table));
  });

  test('written anew between the death and the next run: it begins anew', async () => {
    const { on } = await newScene(kind);
    const table = await newTable();
    await dies(on, table, { step: 'chunk-noted', nth: 2 });
    const before = await noted(table);
    await kept.db.query(`vacuum full ${table}`);
    const steps: string[] = [];
    await on.run(table, async (name) => void steps.push(name));
    for (const step of steps) struck.add(step === 'uploads-aborted' ? step : '');
    // Fewer than before: it is smaller now.
    expect(steps.filter((step) => step === 'chunk-noted')).toHaveLength(CHUNKS - 1);
    for (const id of [...before.values()].flat()) expect(await manifest(table)).not.toContain(id);
    await on.isWhole(table, await on.versions(table));
  });

  test.each([
    ['file-uploaded', 1],
    ['chunk-uploaded', 2],
    ['chunk-noted', 1],
    ['chunk-noted', CHUNKS],
    ['leftovers-aborted', 1],
  ])('one stands still (%s, %i) while another goes on: it gives up and does no harm', async (step, nth) => {
    const { on } = await newScene(kind);
    const table = await newTable();
    if (step === 'leftovers-aborted') await dies(on, table, { step: 'chunk-noted', nth: 2 });
    const zombie = on.start(table, { step, nth, signal: 'SIGSTOP' });
    try {
      await zombie.reached(step, nth);
      await on.leaseEnds(table);
      // The other is in the middle of its way when the first one wakes up.
      let first: { state: string; error: string | null }[] | null = null;
      const second = await on.run(table, async (name) => {
        if (name === 'upload-started' || name === 'uploaded') first ??= (await zombie.goOn()).results;
      });
      expect(second).toMatchObject({ state: 'committed' });
      // What it meets first may be that somebody has removed its files.
      expect(first).toMatchObject([{ state: 'failed', error: 'LEASE_LOST' }]);
      await on.isWhole(table, await on.versions(table));
    } finally {
      zombie.kill();
    }
  });
});

test('no step was left out', async () => {
  expect([...struck]).toEqual(expect.arrayContaining(await stepsNamedIn('src/export/chunks')));
});
