/** Hundreds of compactions one after another: does the table keep its shape, and a compaction its price? */

import path from 'node:path';
import type { Measured } from '../measure.ts';
import { connected, copyDatabase } from './databases.ts';
import { addedFiles, fileSizes } from './files.ts';
import { type Look, look } from './python.ts';
import { copyPlace, type Stage, stagedFolder, tidemark } from './stage.ts';
import { type Changes, change, RECENT } from './workloads.ts';

type Compaction = Measured & { written: number };

export type Life = {
  compactions: number;
  /** RECENT, before and after the others. */
  first: Compaction[];
  between: Compaction[];
  last: Compaction[];
  before: Look;
  after: Look;
};

const PROBES = 3;

/** Most changes of a real table are among its newest rows. */
const KINDS: Changes[] = [
  { recent: 100, fresh: 100 },
  { recent: 100, fresh: 100 },
  { recent: 100, fresh: 100 },
  { spread: 10 },
  { recent: 300, spread: 20, fresh: 50 },
];

/** Throws when the staged table ends with other rows than the source. */
export async function life(stage: Stage, compactions: number): Promise<Life> {
  const { server, base, root } = stage;
  const place = { folder: path.join(root, 'life'), source: 'source_life', state: 'state_life' };
  await copyPlace(server, base, place);
  await copyDatabase(server, base.source, place.source, 'file_copy');
  const staged = stagedFolder(place);
  const before = await look(staged);
  let seed = 1;
  const compaction = async (changes: Changes): Promise<Compaction> => {
    await connected(server.url(place.source), (client) => change(client, changes, seed++));
    await tidemark(server, place, ['export']);
    const files = await fileSizes(staged);
    const taken = await tidemark(server, place, ['compact']);
    const added = addedFiles(files, await fileSizes(staged));
    return { ...taken, written: added.reduce((sum, [, bytes]) => sum + bytes, 0) };
  };
  const several = async (kinds: Changes[]) => {
    const taken: Compaction[] = [];
    for (const kind of kinds) taken.push(await compaction(kind));
    return taken;
  };
  const probes = Array.from({ length: PROBES }, () => RECENT.changes);
  const first = await several(probes);
  const between = await several(randomKinds(compactions));
  const last = await several(probes);
  const after = await look(staged);
  await compareWithSource(server.url(place.source), after);
  return { compactions, first, between, last, before, after };
}

/** The same on every run (Park and Miller's generator). */
function randomKinds(count: number): Changes[] {
  let random = 20_261_121;
  return Array.from({ length: count }, () => {
    random = (random * 48_271) % 2_147_483_647;
    return KINDS[random % KINDS.length];
  });
}

async function compareWithSource(url: string, { digest }: Look): Promise<void> {
  await connected(url, async (client) => {
    const query = 'select count(*), sum(l_id), sum(l_quantity), sum(length(l_comment)) from lineitem';
    const { rows } = await client.query<string[]>({ text: query, rowMode: 'array' });
    if (rows[0].join() !== digest.slice(0, 4).join()) throw new Error(`source: ${rows[0]}, staged: ${digest}`);
  });
}
