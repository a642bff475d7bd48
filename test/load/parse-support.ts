/** Drops read in this thread, without a pool. */

import { readDrop } from '../../src/load/parse/read-drop.ts';
import { Rows } from '../../src/load/parse/rows.ts';
import { loadTransform } from '../../src/load/parse/transform-row.ts';
import type { Source } from '../../src/load/parse/unpack.ts';
import type { LoadSettings } from '../../src/load/settings.ts';
import { loadSettings } from '../support/load-settings.ts';

export type Read = {
  /** The reason why the drop is dead, `gone`, or null. */
  dead: string | null;
  /** The line of each row and its fields as COPY writes them; `\N` is null. */
  rows: [line: number, ...fields: (string | null)[]][];
  /** `line: reason` */
  rejects: string[];
  texts: string[];
  counts: { rowsIn: number; rowsOut: number; filtered: number; rejected: number };
  copy: Buffer;
};

const noDuck = () => Promise.reject(new Error('no Parquet here'));

export async function read(
  source: Source | string | Buffer,
  more: Partial<LoadSettings>,
  key = 'a.jsonl',
): Promise<Read> {
  const settings = loadSettings(more);
  const rows = new Rows(settings, await loadTransform(settings));
  const from = typeof source === 'string' || Buffer.isBuffer(source) ? { bytes: Buffer.from(source) } : source;
  const result = await readDrop(from, { key, number: 7 }, rows, { settings, duck: noDuck, tempFolder: '' });
  const none = { rowsIn: 0, rowsOut: 0, filtered: 0, rejected: 0 };
  if (result.state !== 'parsed') {
    const dead = result.state === 'dead' ? result.reason : 'gone';
    return { dead, rows: [], rejects: [], texts: [], counts: none, copy: Buffer.alloc(0) };
  }
  const lines = result.rows.toString().split('\n').slice(0, -1);
  return {
    dead: null,
    rows: lines.map((text) => {
      const [, line, ...fields] = text.split('\t');
      return [Number(line), ...fields.map((field) => (field === '\\N' ? null : field))];
    }),
    rejects: result.rejects.map(({ line, reason }) => `${line}: ${reason}`),
    texts: result.rejects.map(({ text }) => text),
    counts: result.counts,
    copy: result.rows,
  };
}
