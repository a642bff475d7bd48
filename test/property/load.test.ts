/** Any mix of good, bad, repeated and overwritten drops ends as a map in memory says. */

import { rm } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadScene } from '../load/support/load-scene.ts';

type Line = { id: number; kind: string } | 'broken' | 'wanting' | 'refused';
type Write = { drop: number; lines: Line[]; packed: boolean };

const line: fc.Arbitrary<Line> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ id: fc.nat(12), kind: fc.constantFrom('a', 'b', 'c\\', 'tab\t', 'é\n') }) },
  { weight: 1, arbitrary: fc.constantFrom<Line>('broken', 'wanting', 'refused') },
);
const write: fc.Arbitrary<Write> = fc.record({
  drop: fc.nat(4),
  lines: fc.array(line, { maxLength: 8 }),
  packed: fc.boolean(),
});
/** Some writes, a load, some more writes, a load … */
const story = fc.array(fc.array(write, { maxLength: 5 }), { minLength: 1, maxLength: 4 });

const textOf = (line: Line) => {
  if (line === 'broken') return '{"id": 1,';
  if (line === 'wanting') return '{"kind": "a"}';
  return line === 'refused' ? '{"id": 99, "amount": 1000}' : JSON.stringify(line);
};

test.each(['nothing', 'update'] as const)('on_conflict: %s', async (onConflict) => {
  const scene = await loadScene();
  await scene.configure(`    on_conflict: ${onConflict}\n`);
  const reset = async () => {
    await scene.database.query('truncate events; drop schema if exists tidemark cascade');
    await rm(path.join(scene.cwd, 'drops'), { recursive: true, force: true });
    await scene.drop('_none', []);
  };
  const run = async (loads: Write[][]) => {
    await reset();
    const model = new Map<number, string>();
    for (const writes of loads) {
      // The last content of each name is what a load meets.
      const met = new Map(writes.map((each) => [`${each.drop}.jsonl${each.packed ? '.gz' : ''}`, each.lines]));
      for (const [name, lines] of met) await scene.drop(name, lines.map(textOf));
      for (const name of [...met.keys()].sort()) {
        for (const each of met.get(name)!) {
          if (typeof each === 'string' || (onConflict === 'nothing' && model.has(each.id))) continue;
          model.set(each.id, each.kind);
        }
      }
      const {
        loads: [result],
      } = await scene.loadJson();
      const lines = [...met.values()].flat();
      const bad = lines.filter((each) => typeof each === 'string').length;
      expect(result).toMatchObject({
        drops: met.size,
        rows_in: lines.length,
        rows_rejected: bad,
        rows_out: lines.length - bad,
      });
    }
    const rows = await scene.rows();
    expect(new Map(rows.map(({ id, kind }) => [Number(id), kind]))).toEqual(model);
  };
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 10, interruptAfterTimeLimit: 20_000 });
});
