/** The encoder alone: 2 million lineitem rows to /dev/null or a file; wall, main-thread and total CPU, bytes. */

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
  const output = openSync(path, 'w');
  const started = performance.now();
  const cpu = process.cpuUsage();
  const thread = process.threadCpuUsage();
  const encoder = new RowGroupEncoder(lineitemColumns, new Compressor(codec as Codec, Number(level)));
  const file = new ParquetFile(lineitemColumns, { createdBy: 'tidemark version 0 (build 0)' });
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
  const total = process.cpuUsage(cpu);
  const main = process.threadCpuUsage(thread);
  console.log(
    `${codec} ${level}: wall ${((performance.now() - started) / 1000).toFixed(2)} s, main thread ${((main.user + main.system) / 1e6).toFixed(2)} s,`,
    `all threads ${((total.user + total.system) / 1e6).toFixed(2)} s, ${(file.bytes / 1e6).toFixed(1)} MB, RSS ${process.memoryUsage.rss() >> 20} MiB`,
  );
  if (path !== '/dev/null' && round === 0) {
    console.table(describe(file));
  }
}

function describe(_: ParquetFile): unknown {
  return undefined;
}
