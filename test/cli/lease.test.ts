import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportScene, exportScene } from '../support/export-scene.ts';
import { openAt, take } from '../support/state.ts';

let scene: ExportScene;

/** The command, and its one JSON document. */
async function lease(...args: string[]) {
  const { code, stdout } = await scene.run(['lease', ...args, '--json']);
  return { code, ...JSON.parse(stdout) };
}

beforeAll(async () => {
  scene = await exportScene();
  await scene.table('one', 3);
  await scene.run(['migrate']);
});

afterAll(() => scene[Symbol.asyncDispose]());

test('it lists who holds what, since when and until when', async () => {
  expect((await scene.run(['lease'])).stdout).toBe('nobody holds a lease\n');
  await using store = await openAt(scene.db.url);
  const held = await take(store, 'one', 'host-1 pid 11');
  const expired = await take(store, 'one', 'host-2 pid 22', 0, 'compact');
  expect(await lease()).toEqual({
    code: 0,
    leases: [
      {
        ...{ table: 'public.one', folder: 'one', kind: 'compact', holder: 'host-2 pid 22', expired: true },
        since: expect.stringMatching(/Z$/),
        expires_at: expect.stringMatching(/Z$/),
      },
      expect.objectContaining({ kind: 'export', holder: 'host-1 pid 11', expired: false }),
    ],
  });
  expect((await scene.run(['lease'])).stdout).toMatch(
    /^public\.one +compact +host-2 pid 22 .* ago: the next one takes it$/m,
  );
  await store.release([held.lease, expired.lease]);
});

test('an expired lease is released; one that is renewed only by force, and only of the kind that is named', async () => {
  await using store = await openAt(scene.db.url);
  const { lease: mine } = await take(store, 'one', 'host-1 pid 11');
  await take(store, 'one', 'host-2 pid 22', 0, 'compact');
  expect(await lease('--release', 'one')).toMatchObject({
    code: 4,
    leases: [
      { kind: 'compact', released: true },
      { kind: 'export', released: false },
    ],
    errors: [{ code: 'LEASE_HELD', hint: expect.stringContaining('--force') }],
  });
  expect(await lease('--release', 'one', '--kind', 'compact', '--force')).toMatchObject({ code: 0, leases: [] });
  expect(await store.renew([mine], 1000)).toEqual([]);
  expect(await lease('--release', 'one', '--force')).toMatchObject({ code: 0, leases: [{ released: true }] });
  expect(await store.renew([mine], 1000)).toEqual([mine]);
});

test('a process whose lease was released commits nothing, and says so; the next one exports', async () => {
  await using client = await locker();
  await client.query('begin; lock table one');
  const hanging = await scene.start(['export', '--table', 'one', '--json'], { defaults: { lease: '5s' } });
  while ((await lease()).leases.length === 0);
  expect(await lease('--release', 'one')).toMatchObject({ code: 4, leases: [{ released: false }] });
  expect(await lease('--release', 'one', '--force')).toMatchObject({ code: 0, leases: [{ released: true }] });
  await client.query('rollback');
  const ended = await hanging.ended;
  expect(ended.code).toBe(1);
  expect(JSON.parse(ended.stdout).tables).toMatchObject([{ state: 'failed', error: { code: 'LEASE_LOST' } }]);
  await scene.isWholeAfterwards('one');
});

test('names that nobody knows, and options that go with nothing, are refused', async () => {
  expect(await lease('--release', 'nowhere')).toMatchObject({ code: 2, error: { code: 'TABLE_UNKNOWN' } });
  expect(await lease('--force')).toMatchObject({ code: 2, error: { code: 'USAGE' } });
});

/** A session that keeps an export waiting. */
async function locker() {
  const client = new pg.Client(scene.db.url);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
