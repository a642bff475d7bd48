/** Old runs in archives: whoever asks is told the same, whatever happens while they move. */

import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Manifest } from '../../src/manifest/manifest.ts';
import { summaryOf } from '../../src/manifest/summary.ts';
import type { Archive } from '../../src/state/archives.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { BACKENDS, type Place } from '../lake/backends.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { never, openAt, take } from '../support/state.ts';
import {
  allFiles,
  allRuns,
  answers,
  archive,
  archiveKeys,
  commitRuns,
  places,
  type RunSpec,
  SMALL,
  stage,
} from './scene.ts';

let db: TestDatabase;
let state: StateStore;
let tables = 0;
const newTable = () => `t${++tables}`;
const plain = (count: number): RunSpec[] => Array.from({ length: count }, (_, i) => ({ minutes: i }));

beforeAll(async () => {
  db = await createDatabase();
  state = await openAt(db.url);
});
afterAll(async () => {
  await state[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

describe.each(BACKENDS.filter(({ open }) => open !== null))('on $name', ({ open, name }) => {
  let place: Place;
  let there: { state: StateStore; lake: Place['lake'] };
  beforeAll(async () => {
    place = await open!();
    there = { state, lake: place.lake };
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test('runs of any kind, archived again and again, are told as before', async () => {
    const spec = fc.record({
      full: fc.boolean(),
      repeats: fc.boolean(),
      minutes: fc.integer({ min: 0, max: 60 }),
    });
    const round = fc.record({ specs: fc.array(spec, { minLength: 1, maxLength: 9 }), compacted: fc.boolean() });
    const limits = fc.record({
      least: fc.integer({ min: 1, max: 4 }),
      keep: fc.integer({ min: 1, max: 5 }),
      most: fc.integer({ min: 3, max: 40 }),
      archives: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 2, maxLength: 4 }), limits, async (rounds, limits) => {
        const table = newTable();
        const runs: bigint[] = [];
        for (const { specs, compacted } of rounds) {
          runs.push(
            ...(await commitRuns(
              state,
              table,
              specs.map((each) => ({ ...each, full: each.full && !each.repeats })),
            )),
          );
          if (compacted) await stage(state, table, runs.at(-1)!);
          const before = await answers(there, table, runs);
          const count = await archive(there, table, { limits });
          expect(exactly(await answers(there, table, runs))).toEqual(exactly(before));
          const { archived, live } = await places(state, table);
          expect(archived.reduce((sum, each) => sum + each.runs, 0) + live.length).toBe(runs.length);
          expect(archived.every((each, i) => i === 0 || each.fromRun > archived[i - 1].toRun)).toBe(true);
          expect(live.every((run) => archived.length === 0 || run > archived.at(-1)!.toRun)).toBe(true);
          expect(live.length).toBeGreaterThanOrEqual(Math.min(limits.keep, runs.length));
          expect(count === 0 || count >= limits.least).toBe(true);
          expect(await archive(there, table, { limits })).toBe(0);
        }
      }),
      // To shrink would take minutes.
      { numRuns: name === 'a folder' ? 3 : 1, endOnFailure: true },
    );
  });

  test('what waits is counted with what is in archives', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, [{ full: true }, ...plain(20)]);
    await stage(state, table, runs[7]);
    const before = await answers(there, table, runs);
    expect(await archive(there, table)).toBe(20);
    const { archived } = await places(state, table);
    // None is part of what waits and part of what does not.
    expect(archived.map(({ toRun }) => toRun)).toContain(runs[7]);
    expect(await answers(there, table, runs)).toEqual(before);
    expect(before.staged!.waiting).toMatchObject({ runs: 13n, rows: 39n });
    // Nor once they are joined.
    runs.push(...(await commitRuns(state, table, plain(3))));
    const waiting = (await answers(there, table, runs)).staged;
    await archive(there, table, { limits: { ...SMALL, most: 100, archives: 1 } });
    expect((await places(state, table)).archived).toHaveLength(2);
    expect((await answers(there, table, runs)).staged).toEqual(waiting);
  });
});

/** Of archives that a full run lies in the middle of, more is said to wait than does; whether anything does is exact. */
function exactly({ staged, status, ...told }: Awaited<ReturnType<typeof answers>>) {
  const blurred = (known: typeof staged | null) =>
    known && { ...known, waiting: { any: known.waiting.runs > 0n, since: known.waiting.since } };
  return { ...told, staged: blurred(staged), status: { ...status, staged: blurred(status.staged) } };
}

describe('in a folder', () => {
  let place: Place;
  let there: { state: StateStore; lake: Place['lake'] };
  beforeAll(async () => {
    place = await BACKENDS[0].open!();
    there = { state, lake: place.lake };
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test('young runs, the newest ones and few ones stay; a dry run moves none', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(30));
    await db.query(`update tidemark.run set finished_at = finished_at - interval '8 days' where run <= $1`, [runs[19]]);
    const week = { retentionMs: 7 * 86_400_000 };
    expect(await archive(there, table, { ...week, limits: { ...SMALL, least: 21 } })).toBe(0);
    expect(await archive(there, table, { ...week, dryRun: true })).toBe(20);
    expect((await places(state, table)).archived).toEqual([]);
    expect(await archive(there, table, { ...week, limits: { ...SMALL, keep: 25 } })).toBe(5);
    expect(await archive(there, table, week)).toBe(15);
    expect((await places(state, table)).live).toEqual(runs.slice(20));
    expect(await archiveKeys(place.lake, table)).not.toEqual([]);
  });

  test('a run that was committed by a clock which was set back keeps those after it', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(10));
    await db.query(`update tidemark.run set finished_at = finished_at - interval '8 days' where run <> $1`, [runs[3]]);
    expect(await archive(there, table, { retentionMs: 7 * 86_400_000 })).toBe(3);
  });

  test('the last export stays, however many reconciliations came since', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(10));
    await db.query(`update tidemark.run set kind = 'reconcile' where run > $1 and run <= $2`, [runs[3], runs[9]]);
    await db.query('update tidemark.source_table set mark_run = $1 where folder = $2', [runs[3], table]);
    expect(await archive(there, table)).toBe(3);
    expect((await state.status()).find(({ folder }) => folder === table)!.lastRun!.run).toBe(runs[3]);
  });

  test('joined archives are removed once they are old; a reader that had them goes on with the new one', async () => {
    const table = newTable();
    const hour = 3_600_000;
    const aged = async (count: number) => {
      const runs = await commitRuns(state, table, plain(count));
      await db.query(`update tidemark.run set finished_at = finished_at - interval '2 hours' where run >= $1`, [
        runs[0],
      ]);
      return runs;
    };
    const runs = await aged(40);
    await archive(there, table, { limits: { ...SMALL, archives: 100 } });
    const before = await archiveKeys(place.lake, table);
    expect(before).toHaveLength(10);
    const known = await state.archiving.archives(table, never);
    const large = { retentionMs: hour, limits: { ...SMALL, most: 200, archives: 1 } };
    runs.push(...(await aged(2)));
    await archive(there, table, large);
    expect((await places(state, table)).archived).toHaveLength(1);
    // A state store that is restored from a backup of the last hour finds its own.
    expect(await archiveKeys(place.lake, table)).toEqual(expect.arrayContaining(before));
    runs.push(...(await aged(2)));
    await archive(there, table, { ...large, now: Date.now() + 2 * hour });
    const after = await archiveKeys(place.lake, table);
    expect(after.filter((key) => before.includes(key))).toEqual([]);
    const late = { state: toldBefore(state, known.archives), lake: place.lake };
    expect((await allRuns(new Manifest(late), table, 0n)).map(({ run }) => run)).toEqual(runs);
    expect((await allFiles(new Manifest(there), table)).length).toBe(2 * runs.length);
  });

  test('readers meet every file once while runs move, archives are joined and old ones removed', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(80));
    await using other = await openAt(db.url);
    const expected = runs.flatMap((run) => [run, run]);
    let moving = true;
    const moves = (async () => {
      for (let keep = 70; keep > 0; keep -= 10) {
        const limits = { least: 1, keep, most: keep % 20 === 0 ? 90 : 9, archives: 2 };
        await archive(there, table, { limits, now: Date.now() + 60_000 });
      }
    })().finally(() => {
      moving = false;
    });
    do {
      const reader = new Manifest({ state: other, lake: place.lake });
      expect((await allFiles(reader, table)).map(({ run }) => run)).toEqual(expected);
      expect((await allRuns(reader, table, 0n)).map(({ run }) => run)).toEqual(runs);
    } while (moving);
    await moves;
    expect((await places(state, table)).live).toHaveLength(10);
  });

  test.each(['runs', 'files'] as const)('%s that move while a reader is halfway are told', async (what) => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(5));
    await using other = await openAt(db.url);
    const reader = new Manifest({ state: other, lake: place.lake });
    // It has looked for archives, and found none.
    await db.query('begin; lock table tidemark.run in access exclusive mode');
    const reading = what === 'runs' ? allRuns(reader, table, 0n) : allFiles(reader, table);
    const blocked = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    while ((await db.query(blocked)).length === 0) await sleep(5);
    await db.query(
      `insert into tidemark.archived_runs (table_id, from_run, to_run, key, runs, files, rows, bytes, from_at, since)
       select id, $1, $2, 'where it lies', 3, 6, 9, 603, now(), now() from tidemark.source_table where folder = $3`,
      [runs[0], runs[2], table],
    );
    await db.query('delete from tidemark.raw_file where run between $1 and $2', [runs[0], runs[2]]);
    await db.query('delete from tidemark.run where run between $1 and $2', [runs[0], runs[2]]);
    await db.query('commit');
    const told = new Set((await reading).map(({ run }) => run));
    expect([...told]).toEqual(runs);
  });

  test('an archive counts only when it holds exactly what it stands for; noting it twice is noting it once', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(6));
    const old = await state.archiving.oldRuns(table, { olderThanMs: 0, keep: 1 }, 100, never);
    const { lease } = await take(state, table, 'one', 60_000, 'archive');
    const before = await places(state, table);
    const wrong = [
      summaryOf('a', old.slice(1)),
      { ...summaryOf('a', old), runs: 4 },
      { ...summaryOf('a', old), files: 11 },
    ];
    wrong[0].fromRun = runs[0];
    for (const archive of wrong) {
      await expect(state.archiving.noteArchive(lease, archive, [], never)).rejects.toMatchObject({ code: 'INTERNAL' });
      expect(await places(state, table)).toEqual(before);
    }
    for (let i = 0; i < 2; i++) {
      await state.archiving.noteArchive(lease, summaryOf('a', old), [], never);
      expect(await places(state, table)).toEqual({
        archived: [{ fromRun: runs[0], toRun: runs[4], runs: 5 }],
        live: [runs[5]],
      });
    }
    await expect(
      state.archiving.noteArchive(lease, summaryOf('b', old), ['a', 'none'], never),
    ).resolves.toBeUndefined();
    await expect(state.archiving.noteArchive(lease, summaryOf('c', old), ['a'], never)).rejects.toMatchObject({
      code: 'INTERNAL',
    });
    await state.release([lease]);
  });

  test('two processes at once: one archives, the other leaves it to it', async () => {
    const table = newTable();
    const runs = await commitRuns(state, table, plain(60));
    await using other = await openAt(db.url);
    const lake = await place.reopen();
    const counts = await Promise.all([archive(there, table), archive({ state: other, lake }, table)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(59);
    expect((await allFiles(new Manifest(there), table)).length).toBe(2 * runs.length);
  });

  test('a paused table is left alone', async () => {
    const table = newTable();
    await commitRuns(state, table, plain(5));
    await state.pause([{ name: { schema: 'public', table }, folder: table }], 'me', never);
    expect(await archive(there, table)).toBe(0);
    await state.resume([table], never);
    expect(await archive(there, table)).toBe(4);
  });

  test('who stood still and lost the lease changes nothing, whatever the other has done since', async () => {
    for (const step of ['archive-read', 'archive-landed', 'archive-noted']) {
      const table = newTable();
      await commitRuns(state, table, plain(12));
      const files = await allFiles(new Manifest(there), table);
      let stands = true;
      const late = archive(
        {
          ...there,
          async step(name) {
            if (name !== step || !stands) return;
            stands = false;
            await state.takeAway([table], 'archive', true, never);
            await archive(there, table, { now: Date.now() + 60_000 });
          },
        },
        table,
        { limits: { ...SMALL, most: 100 } },
      );
      // The one whose archive was noted before has nothing left to do but to look.
      if (step === 'archive-noted') await late;
      else await expect(late, step).rejects.toMatchObject({ code: 'LEASE_LOST' });
      expect(await allFiles(new Manifest(there), table), step).toEqual(files);
      expect((await places(state, table)).live, step).toHaveLength(1);
    }
  });

  test('an archive that is gone or damaged is said so, and a full export does without it', async () => {
    const table = newTable();
    await commitRuns(state, table, plain(9));
    await archive(there, table);
    const [first, second] = await archiveKeys(place.lake, table);
    const body = await place.lake.get(first, never);
    const broken = {
      code: 'MANIFEST_BROKEN',
      message: expect.stringContaining(first),
      hint: expect.stringContaining('--full'),
    };
    const all = () => allRuns(new Manifest(there), table, 0n);
    const damaged = Buffer.from(body);
    damaged[body.length - 6] ^= 1;
    for (const bytes of [damaged, body.subarray(0, 40), Buffer.from('{}'), await place.lake.get(second, never)]) {
      await place.lake.put(first, bytes, never);
      await expect(all()).rejects.toMatchObject(broken);
    }
    await place.lake.delete([first], never);
    await expect(all()).rejects.toMatchObject(broken);
    const [full] = await commitRuns(state, table, [{ full: true }]);
    expect((await all()).map(({ run }) => run)).toEqual([full]);
    await place.lake.put(first, body, never);
    expect(await allFiles(new Manifest(there), table)).toHaveLength(20);
  });
});

/** A state store whose first answer is an old one: the reader stood still before it opened what was named. */
function toldBefore(store: StateStore, archives: Archive[]): Pick<StateStore, 'rawRuns' | 'rawFiles'> {
  let asked = false;
  return {
    async rawRuns(...args) {
      if (asked) return store.rawRuns(...args);
      asked = true;
      return { runs: null, archives, until: {} };
    },
    rawFiles: (...args) => store.rawFiles(...args),
  };
}
