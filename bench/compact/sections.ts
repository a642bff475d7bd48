/** The benchmark's numbers as the tables of bench/results.md. */

import { type Measured, median } from '../measure.ts';
import type { Section } from '../report.ts';
import type { Result } from './contenders.ts';
import type { Life } from './life.ts';
import type { Stage } from './stage.ts';
import type { targets } from './targets.ts';
import type { Opened } from './versions.ts';
import type { Workload } from './workloads.ts';

const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
const count = (value: number) => value.toLocaleString('en-US');

export const NOTES = [
  [
    'lineitem of bench/export, 18 columns. tidemark: the whole command `tidemark compact`, state store and lake as they are after an export of the changes;',
    'delta-rs: MERGE of the same raw file into a table of the same rows, sorted, in as many files, zstd 1, in a fresh process.',
    '"of which inside": without the start of the process and its imports. MB written: all new files below the table, its log too; MB after: the live data files.',
    "The peak of memory is the kernel's. Files are synced before each run; at the end of each workload every contender's table has the same rows (count and sums).",
  ].join(' '),
];

export function workloadSection(stage: Stage, workload: Workload, results: Map<string, Result>): Section {
  return {
    title: `${count(stage.rows)} rows: ${workload.title}`,
    head: ['', 'wall s', 'of which inside', 'CPU s', 'peak RSS MB', 'MB written', 'MB after', 'files after'],
    rows: [...results].map(([name, result]) => [
      name,
      result.wall.toFixed(2),
      result.inside.toFixed(2),
      result.cpu.toFixed(2),
      result.rssMb.toFixed(0),
      mb(result.written),
      mb(result.after.bytes),
      String(result.after.files),
    ]),
  };
}

export function baseSection(stages: Stage[]): Section {
  return {
    title: 'the base: a first compaction of everything',
    head: ['', 'wall s', 'CPU s', 'peak RSS MB', 'files', 'MB'],
    rows: stages.flatMap(({ rows, first, peer }) => [
      ...(first
        ? [
            [
              `tidemark, ${count(rows)} rows`,
              first.taken.wall.toFixed(2),
              first.taken.cpu.toFixed(2),
              first.taken.rssMb.toFixed(0),
              String(first.staged.files),
              mb(first.staged.bytes),
            ],
          ]
        : []),
      [`delta-rs, ${count(rows)} rows, not measured`, '', '', '', String(peer.files), mb(peer.bytes)],
    ]),
  };
}

export function lifeSection(rows: number, { compactions, first, between, last, before, after }: Life): Section {
  const row = (name: string, taken: (Measured & { written: number })[]) => [
    name,
    ...(['wall', 'cpu'] as const).map((value) => median(taken.map((one) => one[value])).toFixed(2)),
    Math.max(...taken.map(({ rssMb }) => rssMb)).toFixed(0),
    mb(median(taken.map(({ written }) => written))),
  ];
  const table = ({ rows, files, bytes }: Life['after']) => `${count(rows)} rows, ${files} files, ${mb(bytes)} MB`;
  return {
    title: `${count(rows)} rows, ${compactions} compactions: from ${table(before)} to ${table(after)}`,
    head: ['medians', 'wall s', 'CPU s', 'greatest peak RSS MB', 'MB written'],
    rows: [
      row('1,000 among the newest, before', first),
      row('the compactions between: newest, spread, both', between),
      row('1,000 among the newest, after', last),
    ],
  };
}

export function openSection({ versions, files, inside, wall, rssMb, deltaRs }: Opened): Section {
  return {
    title: `opening a log of ${count(versions)} versions, ${files} live files`,
    head: ['', 's', 's of the process', 'peak RSS MB'],
    rows: [
      ['tidemark', inside.toFixed(2), wall.toFixed(2), rssMb.toFixed(0)],
      ['delta-rs 1.6.6', deltaRs.toFixed(2), '', ''],
    ],
  };
}

export function targetSection(lines: ReturnType<typeof targets>): Section {
  return {
    title: 'targets',
    head: ['', 'measured', 'reached'],
    rows: lines.map(({ target, measured, reached }) => [target, measured, reached ? 'yes' : '**no**']),
  };
}
