import { expect, test } from 'vitest';
import { Board } from '../../../src/daemon/board.ts';

const error = (message: string) => ({ code: 'TARGET_UNREACHABLE', message, hint: null });

test('what is away is away since it went, however often it was tried, with what was met last', () => {
  const board = new Board(0);
  board.reach('load events', { since: 1_000, error: error('refused') });
  board.reach('load events', { since: 9_000, error: error('no answer') });
  expect(board.away().get('load events')).toEqual({ since: 1_000, error: error('no answer') });
  board.reach('load events', null);
  board.reach('load events', { since: 20_000, error: error('refused') });
  expect(board.away().get('load events')?.since).toBe(20_000);
});
