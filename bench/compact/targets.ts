/** What compaction must reach, and whether it did. Pure: from the results to lines of a table. */

import { median } from '../measure.ts';
import type { Result } from './contenders.ts';
import type { Life } from './life.ts';
import type { Stage } from './stage.ts';
import type { Opened } from './versions.ts';

export type Measurement = { stage: Stage; workload: string; results: Map<string, Result> };

type Target = { target: string; measured: string; reached: boolean };

const REWRITE = 'tidemark, merge: rewrite';
const VECTORS = 'tidemark, merge: vectors';
const PEAK_MB = 350;

export function targets(measured: Measurement[], lived: Life | null, opened: Opened | null): Target[] {
  return [
    ...recentTargets(measured.filter(({ workload }) => workload === 'recent')),
    ...measured.filter(({ workload }) => workload !== 'recent').flatMap(spreadTargets),
    ...measured.filter(({ workload }) => workload === 'spread').flatMap(vectorTargets),
    ...memoryTargets(measured),
    ...(lived ? lifeTargets(lived) : []),
    ...(opened ? openTargets(opened) : []),
  ];
}

const seconds = (value: number) => `${value.toFixed(2)} s`;
const size = ({ stage }: Measurement) => `${stage.rows / 1e6} M rows`;
const peers = ({ results }: Measurement) =>
  [...results].filter(([name]) => name.startsWith('delta-rs')).map(([, result]) => result);
const fastest = (all: Result[]) => all.reduce((least, one) => (one.wall < least.wall ? one : least));

function recentTargets(recent: Measurement[]): Target[] {
  const walls = recent.map(({ results }) => results.get(REWRITE)!.wall);
  const within = recent.map((one, i) => ({
    target: `${size(one)}, 1,000 among the newest: at most 0.7 s`,
    measured: seconds(walls[i]),
    reached: walls[i] <= 0.7,
  }));
  if (recent.length < 2) return within;
  const ratio = walls[walls.length - 1] / walls[0];
  const same = {
    target: 'the same at every size (±20%)',
    measured: ratio.toFixed(2),
    reached: ratio >= 0.8 && ratio <= 1.2,
  };
  return [...within, same];
}

/** Wall against the faster of delta-rs's settings, memory against the smaller. */
function spreadTargets(one: Measurement): Target[] {
  const ours = one.results.get(REWRITE)!;
  const peer = fastest(peers(one));
  const peerMb = Math.min(...peers(one).map(({ rssMb }) => rssMb));
  const before = one.stage.first!.staged.bytes;
  const at = `${size(one)}, ${one.workload === 'many' ? '200,000' : '1,000'} spread, rewriting`;
  return [
    {
      target: `${at}: no slower than delta-rs`,
      measured: `${seconds(ours.wall)} against ${seconds(peer.wall)} (${seconds(peer.inside)} without its start)`,
      reached: ours.wall <= peer.wall,
    },
    {
      target: `${at}: at most half of its memory`,
      measured: `${ours.rssMb.toFixed(0)} against ${peerMb.toFixed(0)} MB`,
      reached: ours.rssMb <= peerMb / 2,
    },
    {
      // 200,000 changed comments are other bytes: a hundredth is not growth.
      target: `${at}: the table does not grow`,
      measured: `${((ours.after.bytes / before - 1) * 100).toFixed(1)} %`,
      reached: ours.after.bytes <= before * 1.01,
    },
  ];
}

function vectorTargets(one: Measurement): Target[] {
  const ours = one.results.get(VECTORS)!;
  const peer = fastest(peers(one));
  const times = peer.wall / ours.wall;
  return [
    {
      target: `${size(one)}, 1,000 spread, deletion vectors: at most 0.9 s`,
      measured: seconds(ours.wall),
      reached: ours.wall <= 0.9,
    },
    {
      target: `${size(one)}, 1,000 spread, deletion vectors: at least 4 times as fast as delta-rs`,
      measured: `${times.toFixed(1)} times`,
      reached: times >= 4,
    },
  ];
}

function memoryTargets(measured: Measurement[]): Target[] {
  const stages = [...new Set(measured.map(({ stage }) => stage))];
  const ours = measured.flatMap(({ results }) => [...results].filter(([name]) => name.startsWith('tidemark')));
  const peak = Math.max(...ours.map(([, { rssMb }]) => rssMb), ...stages.map(({ first }) => first!.taken.rssMb));
  const target = `every compaction, the first of a whole table too: at most ${PEAK_MB} MB`;
  return measured.length === 0 ? [] : [{ target, measured: `${peak.toFixed(0)} MB`, reached: peak <= PEAK_MB }];
}

/** The tolerance is what three runs differ by on a shared machine. */
function lifeTargets({ compactions, first, last, before, after }: Life): Target[] {
  const [wall, wallAfter] = [first, last].map((taken) => median(taken.map((one) => one.wall)));
  const perRow = after.bytes / after.rows / (before.bytes / before.rows) - 1;
  return [
    {
      target: `after ${compactions} compactions one among the newest is as fast as the first (+10%)`,
      measured: `${seconds(wallAfter)} against ${seconds(wall)}`,
      reached: wallAfter <= wall * 1.1,
    },
    {
      target: `after ${compactions} compactions a row takes no more bytes (+5%)`,
      measured: `${(perRow * 100).toFixed(1)} %`,
      reached: perRow <= 0.05,
    },
  ];
}

function openTargets({ versions, wall }: Opened): Target[] {
  const target = `a log of ${versions.toLocaleString('en-US')} versions opens in under 1 s`;
  return [{ target, measured: seconds(wall), reached: wall < 1 }];
}
