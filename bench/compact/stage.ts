/**
 * One size of lineitem: exported, compacted, and the same rows as the peers' table. Invariant: what a workload changes, it
 * changes in copies (of the source, the state store and the lake), so that each begins from this base.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PostgresServer, ROOT } from '../../test/support/postgres-server.ts';
import { createLineitem } from '../export/lineitem.ts';
import { type Measured, measure } from '../measure.ts';
import { connected, copyDatabase, createDatabase, dropDatabase } from './databases.ts';
import { addedFiles, fileSizes, linkFolder } from './files.ts';
import { type Look, look, python } from './python.ts';
import { change, type Workload } from './workloads.ts';

const TIDEMARK = path.join(ROOT, 'bin/tidemark');

export type Merge = 'rewrite' | 'vectors';

/** Where tidemark runs: a folder with its lake, two databases. */
export type Place = { folder: string; source: string; state: string };

export type Stage = {
  server: PostgresServer;
  root: string;
  rows: number;
  base: Place;
  peerTable: string;
  peer: Look /** The first compaction and its table; null without tidemark's compact. */;
  first: { taken: Measured; staged: Look } | null;
};

/** A workload's changes, exported and not yet compacted. */
export type Prepared = { workload: Workload; place: Place; raw: string };

const PEER_FILE_BYTES = 16e6;

export async function makeStage(server: PostgresServer, root: string, rows: number, compacts: boolean): Promise<Stage> {
  const base = { folder: path.join(root, `base-${rows}`), source: `source_${rows}`, state: `state_${rows}` };
  await createDatabase(server, base.source);
  await createDatabase(server, base.state);
  await connected(server.url(base.source), (client) => createLineitem(client, 'lineitem', rows));
  await configure(base);
  await tidemark(server, base, ['export', '--full']);
  const taken = compacts ? await tidemark(server, base, ['compact']) : null;
  const staged = taken && (await look(stagedFolder(base)));
  const raw = await fileSizes(path.join(base.folder, 'lake/raw'));
  const bytes = [...raw.values()].reduce((sum, size) => sum + size, 0);
  const peerTable = path.join(root, `peer-${rows}`);
  const files = staged?.files ?? Math.ceil(bytes / PEER_FILE_BYTES);
  await python('base', peerTable, 'l_id', String(files), ...raw.keys());
  const first = taken && staged && { taken, staged };
  return { server, root, rows, base, peerTable, peer: await look(peerTable), first };
}

/** Changes rows in a copy of the base and exports them. The copy of the source is gone afterwards. */
export async function prepare({ server, root, rows, base }: Stage, workload: Workload): Promise<Prepared> {
  const name = `${workload.name}_${rows}`;
  const place = { folder: path.join(root, name), source: `source_${name}`, state: `state_${name}` };
  await copyPlace(server, base, place);
  await copyDatabase(server, base.source, place.source, 'file_copy');
  await connected(server.url(place.source), (client) => change(client, workload.changes, 1));
  const raw = path.join(place.folder, 'lake/raw');
  const before = await fileSizes(raw);
  await tidemark(server, place, ['export']);
  await dropDatabase(server, place.source);
  const added = addedFiles(before, await fileSizes(raw));
  if (added.length !== 1) throw new Error(`${workload.title}: one raw file was expected, not ${added.length}`);
  return { workload, place: { ...place, source: base.source }, raw: added[0][0] };
}

/** Lake and state store; the source is not copied. */
export async function copyPlace(server: PostgresServer, from: Place, to: Place): Promise<void> {
  await linkFolder(from.folder, to.folder);
  await copyDatabase(server, from.state, to.state, 'wal_log');
}

export const stagedFolder = ({ folder }: Place) => path.join(folder, 'lake/staged/lineitem');

/** Runs a command of tidemark's on lineitem; its JSON goes to out.json in the place's folder. */
export function tidemark(
  server: PostgresServer,
  { folder, source, state }: Place,
  [command, ...args]: string[],
  merge: Merge = 'rewrite',
): Promise<Measured> {
  const line = [TIDEMARK, command, '--config', `${merge}.yaml`, '--table', 'lineitem', '--json', ...args];
  return measure(['sh', '-c', 'exec "$@" > out.json', 'sh', ...line], {
    cwd: folder,
    env: { SOURCE_URL: server.url(source), STATE_URL: server.url(state) },
  });
}

async function configure({ folder }: Place): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const merge of ['rewrite', 'vectors'] satisfies Merge[])
    await writeFile(
      path.join(folder, `${merge}.yaml`),
      [
        `source: { url: "\${SOURCE_URL}" }`,
        `state: { url: "\${STATE_URL}" }`,
        'lake: file:./lake',
        'spool: { path: ./spool }',
        'tables:',
        `  - { table: lineitem, merge: ${merge} }`,
        '',
      ].join('\n'),
    );
}
