/** A loop over made-up work, in simulated time. */

import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { Agenda } from '../../../src/daemon/agenda.ts';
import { Board, type WorkKind } from '../../../src/daemon/board.ts';
import { parseSchedule } from '../../../src/daemon/cron.ts';
import { type Lane, NO_FIGURES } from '../../../src/daemon/lane.ts';
import { Loop } from '../../../src/daemon/loop.ts';
import { Services } from '../../../src/daemon/services.ts';
import { TidemarkError, toTidemarkError } from '../../../src/model/error.ts';
import { fakeClock } from './fake-clock.ts';

export const MINUTE = 60_000;
export const SECOND = 1_000;

type Does = (name: string, signal: AbortSignal) => Promise<'done' | 'nothing' | TidemarkError>;

/** A loop over tables that are done as `does` says, on a clock of its own. */
export function world(options: {
  tables: string[];
  does: Does;
  batches?: number;
  kind?: WorkKind;
  every?: string;
  lingers?: number;
}) {
  const { tables, does, batches = 1, kind = 'export', every = '1m', lingers = 0 } = options;
  const clock = fakeClock(100 * MINUTE);
  const stop = new AbortController();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const board = new Board(clock.now());
  const agenda = new Agenda(() => 0.5);
  const shown = (error: unknown) => ({ code: toTidemarkError(error).code, message: 'm', hint: null });
  const health = { source: true };
  const probes = {
    source: async () => {
      if (!health.source) throw new TidemarkError('SOURCE_UNREACHABLE', 'away');
    },
    state: async () => {},
    lake: async () => {},
  };
  const services = new Services(
    probes,
    { board, clock, log, shown, random: () => 0.5 },
    () => loop.wake(),
    stop.signal,
  );
  const begun: { name: string; at: number; batch: number }[] = [];
  let batch = 0;
  const lane: Lane = {
    kind,
    needs: ['source'],
    batches: () => batches,
    most: 100,
    async run(works, tell, signal) {
      const number = ++batch;
      for (const { name } of works) {
        if (signal.aborted) return;
        begun.push({ name, at: clock.now(), batch: number });
        const outcome = await does(name, signal);
        if (signal.aborted) return;
        if (outcome instanceof TidemarkError) tell.ended(name, { state: 'failed', error: outcome }, NO_FIGURES);
        else tell.ended(name, { state: outcome }, { ...NO_FIGURES, run: '7', rows: 3, seconds: 1 });
      }
      if (lingers > 0) await clock.sleep(lingers, signal);
    },
  };
  const loop: Loop = new Loop({ agenda, board, lanes: [lane], services, clock, log, shown });
  const schedule = parseSchedule(`@every ${every}`, 'UTC')!;
  agenda.plan(
    kind,
    tables.map((name) => ({ name, schedule, lastAt: clock.now() })),
    clock.now(),
  );
  const ran = loop.run(stop.signal);
  const end = async () => {
    stop.abort(new DOMException('stopped', 'AbortError'));
    await clock.runTo(clock.now() + 10 * MINUTE);
    await ran;
  };
  onTestFinished(end);
  const names = (from: number, to: number) => begun.filter(({ at }) => at >= from && at < to).map(({ name }) => name);
  const messages = () => lines.filter(({ level }) => Number(level) > 20).map(({ msg }) => msg);
  return { clock, stop, loop, board, agenda, lines, messages, begun, names, health, ran, services };
}
