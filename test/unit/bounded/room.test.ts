import { describe, expect, test } from 'vitest';
import { createRoom } from '../../../src/bounded/room.ts';

const never = new AbortController().signal;

describe('room', () => {
  test('for so many at once, for so many bytes; what is larger goes alone', async () => {
    const room = createRoom(2, 10);
    const inside = new Set<number>();
    const order: number[] = [];
    const go = async (bytes: number) => {
      const leave = await room.take(bytes, never);
      inside.add(bytes);
      order.push(bytes);
      expect(inside.size).toBeLessThanOrEqual(2);
      expect(inside.size === 1 || [...inside].reduce((a, b) => a + b) <= 10).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
      inside.delete(bytes);
      leave();
      leave();
    };
    const sizes = [4, 5, 6, 50, 1, 2, 3];
    await Promise.all(sizes.map(go));
    expect(order).toEqual(sizes);
  });

  test('an abort ends the wait, and lets those behind through', async () => {
    const room = createRoom(1, 10);
    const leave = await room.take(1, never);
    const stop = new AbortController();
    const waits = room.take(1, stop.signal);
    const behind = room.take(1, never);
    stop.abort(new Error('enough'));
    await expect(waits).rejects.toThrow('enough');
    leave();
    (await behind)();
    await expect(room.take(1, stop.signal)).rejects.toThrow('enough');
  });
});
