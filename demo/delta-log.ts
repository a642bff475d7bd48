/** One data file's place in a staged table's Delta log, cut down to what a person reads. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

type Add = { path: string; size: number; stats: string };
type Remove = { path: string; deletionTimestamp: number };

/** The `remove` that ended a file in the newest commit, after the `add` of the commit that made it. `key`: the column to show bounds of. */
export async function logLines(table: string, key: string): Promise<string[]> {
  const folder = path.join(table, '_delta_log');
  const commits = (await readdir(folder)).filter((name) => /^\d{20}\.json$/.test(name)).sort();
  const actions = await Promise.all(
    commits.map(async (name) => {
      const lines = (await readFile(path.join(folder, name), 'utf8')).trim().split('\n');
      return lines.map((line) => ({ name, ...(JSON.parse(line) as { add?: Add; remove?: Remove }) }));
    }),
  );
  const all = actions.flat();
  const ended = all.findLast(({ remove }) => remove)!;
  const made = all.find(({ add }) => add?.path === ended.remove!.path)!;
  const { path: name, size, stats } = made.add!;
  const { numRecords, minValues, maxValues } = JSON.parse(stats);
  return [
    `_delta_log/${made.name}`,
    `  {"add": {"path": "${name}",`,
    `    "size": ${size}, "stats": {"numRecords": ${numRecords},`,
    `      "minValues": {"${key}": ${minValues[key]}, …},`,
    `      "maxValues": {"${key}": ${maxValues[key]}, …}, …}, …}}`,
    `_delta_log/${ended.name}`,
    `  {"remove": {"path": "${name}",`,
    `    "deletionTimestamp": ${ended.remove!.deletionTimestamp}, …}}`,
  ];
}
