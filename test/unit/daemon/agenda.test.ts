import { describe, expect, test } from 'vitest';
import { Agenda, type Outcome } from '../../../src/daemon/agenda.ts';
import type { Work } from '../../../src/daemon/board.ts';
import { parseSchedule } from '../../../src/daemon/cron.ts';
import { TidemarkError } from '../../../src/model/error.ts';

const MINUTE = 60_000;
const every = (text: string) => parseSchedule(`@every ${text}`, 'UTC')!;
const error = new TidemarkError('VALUE_UNFIT', 'a value has no place');
const failed: Outcome = { state: 'failed', error };
const table = (name: string): Work => ({ kind: 'export', name });

/** A minute's schedule; the agenda's clock begins at minute 100. */
function agendaOf(...names: string[]): Agenda {
  const agenda = new Agenda(() => 0.5);
  const planned = names.map((name) => ({ name, schedule: every('1m'), lastAt: 100 * MINUTE }));
  agenda.plan('export', planned, 100 * MINUTE);
  return agenda;
}

const names = (agenda: Agenda, now: number) => agenda.due('export', now).map(({ name }) => name);

function work(agenda: Agenda, name: string, outcome: Outcome, from: number, to = from + 10): void {
  agenda.start(table(name), from);
  agenda.end(table(name), outcome, to);
}

describe('when something is due', () => {
  test('at its time, not before', () => {
    const agenda = agendaOf('a');
    expect(names(agenda, 101 * MINUTE - 1)).toEqual([]);
    expect(names(agenda, 101 * MINUTE)).toEqual(['a']);
    expect(agenda.nextAt(100 * MINUTE)).toBe(101 * MINUTE);
  });

  test('what was never done is due at once, what was missed is due once', () => {
    const agenda = new Agenda(() => 0.5);
    const planned = [
      { name: 'new', schedule: every('1m'), lastAt: null },
      { name: 'missed', schedule: every('1m'), lastAt: 40 * MINUTE },
      { name: 'done', schedule: every('1m'), lastAt: 100 * MINUTE },
    ];
    agenda.plan('export', planned, 100 * MINUTE + 5);
    expect(names(agenda, 100 * MINUTE + 5)).toEqual(['missed', 'new']);
    work(agenda, 'missed', { state: 'done' }, 100 * MINUTE + 5);
    expect(names(agenda, 100 * MINUTE + 50)).toEqual(['new']);
    expect(agenda.view(table('missed'))?.nextAt).toBe(101 * MINUTE);
  });

  test('a time of the state store’s clock ahead of ours puts nothing off', () => {
    const agenda = new Agenda(() => 0.5);
    agenda.plan('export', [{ name: 'a', schedule: every('1m'), lastAt: 500 * MINUTE }], 100 * MINUTE);
    expect(agenda.nextAt(100 * MINUTE)).toBe(101 * MINUTE);
  });

  test('what is under way is not due, however often its time passes; then it is due once', () => {
    const agenda = agendaOf('a');
    agenda.start(table('a'), 101 * MINUTE);
    expect(names(agenda, 109 * MINUTE)).toEqual([]);
    agenda.end(table('a'), { state: 'done' }, 109 * MINUTE);
    expect(names(agenda, 109 * MINUTE + 500)).toEqual(['a']);
    work(agenda, 'a', { state: 'done' }, 109 * MINUTE + 500);
    expect(names(agenda, 110 * MINUTE - 1)).toEqual([]);
    expect(names(agenda, 110 * MINUTE)).toEqual(['a']);
  });

  test('the longest due comes first, what was asked for before all', () => {
    const agenda = new Agenda(() => 0.5);
    const planned = ['1m', '2m', '5m'].map((period) => ({
      name: period,
      schedule: every(period),
      lastAt: 95 * MINUTE,
    }));
    agenda.plan('export', planned, 95 * MINUTE);
    expect(names(agenda, 100 * MINUTE)).toEqual(['1m', '2m', '5m']);
    agenda.ask(table('5m'));
    expect(names(agenda, 100 * MINUTE)).toEqual(['5m', '1m', '2m']);
  });

  test('without a schedule it is due only when somebody asks', () => {
    const agenda = new Agenda(() => 0.5);
    agenda.plan('export', [{ name: 'a', schedule: null, lastAt: null }], 0);
    expect(names(agenda, 1e12)).toEqual([]);
    expect(agenda.nextAt(0)).toBeNull();
    expect(agenda.ask(table('a'))).toBe('queued');
    expect(agenda.due('export', 1e12)).toEqual([{ kind: 'export', name: 'a', firedAt: null, replay: false }]);
    work(agenda, 'a', { state: 'done' }, 1e12);
    expect(names(agenda, 2e12)).toEqual([]);
  });
});

describe('failures', () => {
  test('are tried again after 10 s, then twice as long, up to 15 minutes; the fifth in a row makes it an hour', () => {
    const agenda = agendaOf('a');
    const waits: number[] = [];
    let now = 101 * MINUTE;
    for (let i = 0; i < 6; i++) {
      work(agenda, 'a', failed, now, now);
      const { failing, nextAt } = agenda.view(table('a'))!;
      expect(failing?.slow).toBe(i >= 4);
      waits.push((nextAt! - now) / 1000);
      expect(names(agenda, nextAt! - 1)).toEqual([]);
      now = nextAt!;
      expect(names(agenda, now)).toEqual(['a']);
    }
    expect(waits).toEqual([10, 20, 40, 80, 3600, 3600]);
    expect(agenda.view(table('a'))?.failing).toMatchObject({ times: 6, since: 101 * MINUTE });
  });

  test('do not hold up others', () => {
    const agenda = agendaOf('a', 'b');
    work(agenda, 'a', failed, 101 * MINUTE);
    work(agenda, 'b', { state: 'nothing' }, 101 * MINUTE);
    expect(names(agenda, 102 * MINUTE)).toEqual(['a', 'b']);
  });

  test('are over once it succeeds, with something to do or without', () => {
    const agenda = agendaOf('a');
    work(agenda, 'a', failed, 101 * MINUTE);
    work(agenda, 'a', { state: 'nothing' }, 102 * MINUTE);
    expect(agenda.view(table('a'))).toEqual({ running: false, nextAt: 103 * MINUTE, failing: null });
  });

  test('all are tried at once when they may have been mended, and wait on as before if they were not', () => {
    const agenda = agendaOf('a', 'b', 'c');
    for (let i = 0; i < 5; i++) work(agenda, 'a', failed, 101 * MINUTE);
    work(agenda, 'b', failed, 101 * MINUTE);
    work(agenda, 'c', { state: 'done' }, 101 * MINUTE);
    agenda.start(table('b'), 101 * MINUTE + 90);
    expect(agenda.retryAll(101 * MINUTE + 100)).toEqual([table('a'), table('b')]);
    expect(names(agenda, 101 * MINUTE + 100)).toEqual(['a']);
    // It began before.
    agenda.end(table('b'), failed, 101 * MINUTE + 110);
    expect(names(agenda, 101 * MINUTE + 110)).toEqual(['b', 'a']);
    work(agenda, 'a', failed, 101 * MINUTE + 100, 101 * MINUTE + 100);
    expect(agenda.view(table('a'))).toMatchObject({ nextAt: 161 * MINUTE + 100, failing: { times: 6, slow: true } });
  });

  test('whoever asks does not wait', () => {
    const agenda = agendaOf('a');
    for (let i = 0; i < 5; i++) work(agenda, 'a', failed, 101 * MINUTE);
    expect(names(agenda, 101 * MINUTE + 100)).toEqual([]);
    expect(agenda.ask(table('a'))).toBe('queued');
    expect(names(agenda, 101 * MINUTE + 100)).toEqual(['a']);
  });
});

test('how it was asked for is told, and forgotten once it is done', () => {
  const agenda = agendaOf('a');
  agenda.ask(table('a'), { replay: true });
  expect(agenda.due('export', 100 * MINUTE)).toMatchObject([{ name: 'a', replay: true }]);
  work(agenda, 'a', { state: 'done' }, 100 * MINUTE);
  expect(agenda.due('export', 101 * MINUTE)).toMatchObject([{ name: 'a', replay: false }]);
});

test('a replay asked for while something else is under way comes after it, once; what is put off is still asked for', () => {
  const agenda = agendaOf('a');
  const now = 100 * MINUTE;
  agenda.start(table('a'), now);
  expect(agenda.ask(table('a'))).toBe('running');
  expect(agenda.ask(table('a'), { replay: true })).toBe('queued');
  expect(agenda.due('export', now)).toEqual([]);
  agenda.end(table('a'), { state: 'done' }, now);
  expect(agenda.due('export', now)).toMatchObject([{ name: 'a', replay: true, firedAt: null }]);
  agenda.start(table('a'), now);
  expect(agenda.ask(table('a'), { replay: true })).toBe('running');
  agenda.putOff(table('a'), now, 1_000);
  expect(agenda.due('export', now + 1_000)).toMatchObject([{ name: 'a', replay: true }]);
  work(agenda, 'a', { state: 'done' }, now + 1_000);
  expect(names(agenda, now + 1_000)).toEqual([]);
});

describe('held, put off, hastened', () => {
  test('a lease of another is tried again when it ends, if that is sooner than the schedule', () => {
    const agenda = agendaOf('a', 'b');
    work(agenda, 'a', { state: 'held', until: 101 * MINUTE + 5_000 }, 101 * MINUTE);
    work(agenda, 'b', { state: 'held', until: 500 * MINUTE }, 101 * MINUTE);
    expect(names(agenda, 101 * MINUTE + 5_000)).toEqual(['a']);
    expect(names(agenda, 102 * MINUTE)).toEqual(['a', 'b']);
  });

  test('a paused table waits for its schedule', () => {
    const agenda = agendaOf('a');
    work(agenda, 'a', { state: 'held', until: null }, 101 * MINUTE);
    expect(agenda.nextAt(101 * MINUTE)).toBe(102 * MINUTE);
  });

  test('what was not done after all stays due', () => {
    const agenda = agendaOf('a');
    agenda.start(table('a'), 101 * MINUTE);
    agenda.putOff(table('a'), 101 * MINUTE, 1_000);
    expect(names(agenda, 101 * MINUTE + 1_000)).toEqual(['a']);
    expect(agenda.view(table('a'))?.failing).toBeNull();
  });

  test('so does what failed before, and its failures stay counted', () => {
    const agenda = agendaOf('a');
    work(agenda, 'a', failed, 101 * MINUTE, 101 * MINUTE);
    agenda.start(table('a'), 101 * MINUTE + 10_000);
    agenda.putOff(table('a'), 101 * MINUTE + 12_000, 1_000);
    expect(agenda.view(table('a'))).toMatchObject({ nextAt: 101 * MINUTE + 13_000, failing: { times: 1 } });
  });

  test('hastened while under way, it is due again afterwards', () => {
    const agenda = new Agenda(() => 0.5);
    const compact: Work = { kind: 'compact', name: 'a' };
    agenda.plan('compact', [{ name: 'a', schedule: every('1h'), lastAt: 0 }], 0);
    agenda.start(compact, 1_000);
    agenda.hasten(compact, 2_000);
    agenda.end(compact, { state: 'done' }, 3_000);
    expect(agenda.due('compact', 3_000)).toMatchObject([{ name: 'a', firedAt: 2_000 }]);
    agenda.start(compact, 3_000);
    agenda.end(compact, { state: 'done' }, 4_000);
    expect(agenda.due('compact', 5_000)).toEqual([]);
  });
});

describe('what there is changes', () => {
  test('what is gone is named, and not due any more; what stays keeps its state', () => {
    const agenda = agendaOf('a', 'b');
    work(agenda, 'a', failed, 101 * MINUTE);
    const gone = agenda.plan('export', [{ name: 'a', schedule: every('1m'), lastAt: null }], 101 * MINUTE);
    expect(gone).toEqual([table('b')]);
    expect(names(agenda, 200 * MINUTE)).toEqual(['a']);
    expect(agenda.view(table('a'))?.failing?.times).toBe(1);
    agenda.end(table('b'), { state: 'done' }, 200 * MINUTE);
    expect(agenda.ask(table('b'))).toBe('unknown');
  });

  test('another schedule holds from now on', () => {
    const agenda = agendaOf('a');
    agenda.plan('export', [{ name: 'a', schedule: every('1h'), lastAt: null }], 100 * MINUTE + 1);
    expect(agenda.nextAt(100 * MINUTE + 1)).toBe(120 * MINUTE);
    agenda.plan('export', [{ name: 'a', schedule: null, lastAt: null }], 100 * MINUTE + 2);
    expect(agenda.nextAt(100 * MINUTE + 2)).toBeNull();
  });

  test('what is due stays due when its schedule changes', () => {
    const agenda = agendaOf('a');
    agenda.plan('export', [{ name: 'a', schedule: every('1h'), lastAt: null }], 101 * MINUTE);
    expect(names(agenda, 101 * MINUTE)).toEqual(['a']);
  });
});

test('a clock that is set back an hour stops nothing', () => {
  const agenda = agendaOf('a', 'b');
  work(agenda, 'a', { state: 'done' }, 101 * MINUTE);
  work(agenda, 'b', failed, 101 * MINUTE);
  expect(names(agenda, 101 * MINUTE + 100)).toEqual([]);
  expect(names(agenda, 40 * MINUTE)).toEqual([]);
  expect(names(agenda, 41 * MINUTE).sort()).toEqual(['a', 'b']);
});

test('what another process has done since is no failure any more; what it did before is', () => {
  const agenda = agendaOf('a');
  work(agenda, 'a', failed, 101 * MINUTE);
  expect(agenda.doneElsewhere(table('a'), 100 * MINUTE)).toBe(false);
  expect(agenda.view(table('a'))?.failing?.times).toBe(1);
  expect(agenda.doneElsewhere(table('a'), 102 * MINUTE)).toBe(true);
  expect(agenda.view(table('a'))).toMatchObject({ failing: null, nextAt: 102 * MINUTE });
  expect(agenda.doneElsewhere(table('a'), 103 * MINUTE)).toBe(false);
});
