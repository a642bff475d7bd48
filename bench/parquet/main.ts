/** The encoder alone, on 2 million lineitem rows in memory: `node bench/parquet/main.ts [zstd|gzip|none] [level] [path] [rounds]`. */

import { closeSync, openSync, writevSync } from 'node:fs';
import { type Codec, Compressor } from '../../src/parquet/compressor.ts';
import { ParquetFile } from '../../src/parquet/file.ts';
import { type EncodedRowGroup, RowGroupEncoder } from '../../src/parquet/row-group.ts';
import { lineitemColumns, lineitemGroup } from './lineitem.ts';

const [codec = 'zstd', level = '1', path = '/dev/null', rounds = '3'] = process.argv.slice(2);
const ROWS = 2_000_000;
const GROUP = 122_880;

const groups = Array.from({ length: Math.ceil(ROWS / GROUP) }, (_, i) => {
  const from = i * GROUP;
  const rows = Math.min(GROUP, ROWS - from);
  return { rows, columns: lineitemGroup(from, rows) };
});

for (let round = 0; round < Number(rounds); round++) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const thread = process.threadCpuUsage();
  const bytes = await write();
  const all = process.cpuUsage(cpu);
  const main = process.threadCpuUsage(thread);
  console.log(
    `${codec} ${level}, ${round === 0 ? 'cold' : 'warm'}: ${((performance.now() - started) / 1000).toFixed(2)} s wall,`,
    `${((main.user + main.system) / 1e6).toFixed(2)} s CPU of the main thread,`,
    `${((all.user + all.system) / 1e6).toFixed(2)} s of all threads, ${(bytes / 1e6).toFixed(1)} MB`,
  );
}

/** One group is compressed while the next is encoded, as an export does it. */
async function write(): Promise<number> {
  const output = openSync(path, 'w');
  const encoder = new RowGroupEncoder(lineitemColumns, new Compressor(codec as Codec, Number(level)));
  const file = new ParquetFile(lineitemColumns, { createdBy: 'tidemark version 0.0.0 (build 0)' });
  writevSync(output, [file.start()]);
  let before: Promise<EncodedRowGroup> | undefined;
  for (const { rows, columns } of groups) {
    const group = encoder.encode(rows, columns);
    if (before) writevSync(output, file.append(await before));
    before = group;
  }
  if (before) writevSync(output, file.append(await before));
  writevSync(output, [file.finish()]);
  closeSync(output);
  return file.bytes;
}
