import type { Socket } from 'node:net';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, disconnect } from '../../../src/postgres/connect.ts';
import { copyOut, type Flow } from '../../../src/postgres/copy-out.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startTlsPostgres } from './tls-postgres.ts';

const forever = new AbortController().signal;

type Collected = { rows: number; bytes: number; onRow?: (row: number) => void };

/** Counts payloads; the header travels with the first row, the trailer is one more. */
function collector(onRow?: (row: number) => void) {
  const seen: Collected = { rows: 0, bytes: 0 };
  return {
    seen,
    sink: {
      copyData(_bytes: Buffer, _view: DataView, start: number, end: number) {
        seen.rows++;
        seen.bytes += end - start;
        onRow?.(seen.rows);
      },
      chunkEnd() {},
    },
  };
}

const copy = (query: string) => `copy (${query}) to stdout (format binary)`;
const socketOf = (client: pg.Client) => (client as unknown as { connection: { stream: Socket } }).connection.stream;

async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error,
  );
}

describe.each(['plain', 'TLS'])('over a %s connection', (kind) => {
  let db: TestDatabase;
  let tls: Awaited<ReturnType<typeof startTlsPostgres>>;
  let url: string;
  let client: pg.Client;

  beforeAll(async () => {
    if (kind === 'plain') {
      db = await createDatabase();
      url = db.url;
    } else {
      tls = await startTlsPostgres();
      url = tls?.url ?? '';
    }
  });
  afterAll(async () => {
    await db?.[Symbol.asyncDispose]();
    await tls?.[Symbol.asyncDispose]();
  });
  beforeEach(async (context) => {
    if (kind === 'TLS' && !tls) return context.skip('openssl is missing');
    client = await connect({ role: 'source', url, env: {} }, forever);
  });
  afterEach(async () => {
    if (client) await disconnect(client);
  });

  test('every row comes once, and the same client goes on', async () => {
    const { rows: ssl } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(ssl[0].ssl).toBe(kind === 'TLS');
    for (const rows of [0, 1, 20_000]) {
      const { seen, sink } = collector();
      await copyOut(
        client,
        copy(`select i, repeat('x', 100) from generate_series(1, ${rows}) i`),
        sink,
        () => {},
        forever,
      );
      // 2 bytes of a field count, 4 and 4 of the number, 4 and 100 of the text; 19 of header, 2 of trailer.
      expect(seen.bytes).toBe(rows * 114 + 21);
      expect((await client.query('select 42 as n')).rows).toEqual([{ n: 42 }]);
    }
  });

  test('a value larger than every buffer comes whole', async () => {
    let hash = '';
    const sink = {
      copyData(bytes: Buffer, _view: DataView, start: number, end: number) {
        if (end - start > 100) hash = `${bytes.toString('latin1', end - 3, end)} ${end - start}`;
      },
      chunkEnd() {},
    };
    await copyOut(client, copy("select repeat('x', 31457280 - 3) || 'end'"), sink, () => {}, forever);
    expect(hash).toBe(`end ${31_457_280 + 6 + 19}`);
  });

  test("an error on row 1,000 is the server's own, after the rows before it, and the same client goes on", async () => {
    const { seen, sink } = collector();
    const error = await failure(
      copyOut(client, copy('select 1 / (1000 - i) from generate_series(1, 2000) i'), sink, () => {}, forever),
    );
    expect(error).toMatchObject({ code: '22012', message: 'division by zero' });
    expect(seen.rows).toBe(999);
    expect((await client.query('select 42 as n')).rows).toEqual([{ n: 42 }]);
  });

  test('a statement that does not parse is the same', async () => {
    const error = await failure(copyOut(client, 'copy nonsense', collector().sink, () => {}, forever));
    expect(error).toMatchObject({ code: '42601' });
    expect((await client.query('select 42 as n')).rows).toEqual([{ n: 42 }]);
  });

  test('notices and changed settings in the middle reach pg', async () => {
    const notices: string[] = [];
    client.on('notice', (notice) => notices.push(notice.message ?? ''));
    await client.query(`create function pg_temp.loud(i int) returns int language plpgsql as $$
      begin raise notice 'row %', i; perform set_config('application_name', 'n' || i, false); return i; end $$`);
    const { seen, sink } = collector();
    await copyOut(client, copy('select pg_temp.loud(i) from generate_series(1, 300) i'), sink, () => {}, forever);
    expect(seen.rows).toBe(301);
    expect(notices).toEqual(Array.from({ length: 300 }, (_, i) => `row ${i + 1}`));
  });

  test('a sink that throws ends the connection, and its error is what one sees', async () => {
    const { sink } = collector((row) => {
      if (row === 10) throw new Error('no place');
    });
    const error = await failure(
      copyOut(client, copy('select i from generate_series(1, 1000000) i'), sink, () => {}, forever),
    );
    expect(error.message).toBe('no place');
    expect(socketOf(client).destroyed).toBe(true);
    await expect(client.query('select 1')).rejects.toThrow();
  });

  test('an abort ends the connection', async () => {
    const abort = new AbortController();
    const { sink } = collector((row) => {
      if (row === 10) abort.abort(new Error('stopped'));
    });
    const error = await failure(
      copyOut(client, copy('select i from generate_series(1, 1000000) i'), sink, () => {}, abort.signal),
    );
    expect(error.message).toBe('stopped');
    expect(socketOf(client).destroyed).toBe(true);
  });

  test('an abort while the server says nothing ends the connection', async () => {
    const abort = new AbortController();
    const copied = failure(copyOut(client, copy('select pg_sleep(60)'), collector().sink, () => {}, abort.signal));
    setTimeout(() => abort.abort(new Error('stopped')), 50);
    expect((await copied).message).toBe('stopped');
    expect(socketOf(client).destroyed).toBe(true);
  });

  test('an abort before it began, or while it waited for its turn', async () => {
    const before = AbortSignal.abort(new Error('stopped'));
    expect(() => copyOut(client, copy('select 1'), collector().sink, () => {}, before)).toThrow('stopped');
    expect((await client.query('select 42 as n')).rows).toEqual([{ n: 42 }]);
    const abort = new AbortController();
    const earlier = client.query('select pg_sleep(0.05)');
    const copied = failure(copyOut(client, copy('select 1'), collector().sink, () => {}, abort.signal));
    abort.abort(new Error('stopped'));
    await earlier;
    expect((await copied).message).toBe('stopped');
  });

  test('a backend that is terminated in the middle is an error, not a silence', async () => {
    const other = await connect({ role: 'source', url, env: {} }, forever);
    const { rows } = await client.query('select pg_backend_pid() as pid');
    const copied = failure(copyOut(client, copy('select pg_sleep(60)'), collector().sink, () => {}, forever));
    await other.query('select pg_terminate_backend($1) from pg_sleep(0.05)', [rows[0].pid]);
    expect(await copied).toMatchObject({ code: '57P01' });
    await disconnect(other);
  });

  test('a connection that breaks off in the middle is an error', async () => {
    const copied = failure(copyOut(client, copy('select pg_sleep(60)'), collector().sink, () => {}, forever));
    setTimeout(() => socketOf(client).destroy(), 50);
    expect(await copied).toMatchObject({ code: 'SOURCE_LOST' });
  });

  test('a paused socket delivers nothing, and everything once resumed', async () => {
    let flow: Flow | null = null;
    let paused = false;
    let whilePaused = 0;
    let chunks = 0;
    const { seen, sink } = collector(() => {
      if (paused) whilePaused++;
    });
    const pausing = {
      ...sink,
      chunkEnd() {
        if (++chunks % 5 !== 0) return;
        flow!.pause();
        // What is left of this chunk is still delivered.
        setImmediate(() => {
          paused = true;
          setTimeout(() => {
            paused = false;
            flow!.resume();
          }, 5);
        });
      },
    };
    const rows = 60_000;
    await copyOut(
      client,
      copy(`select i, repeat('x', 100) from generate_series(1, ${rows}) i`),
      pausing,
      (given) => {
        flow = given;
      },
      forever,
    );
    expect(seen.bytes).toBe(rows * 114 + 21);
    expect(whilePaused).toBe(0);
    expect(chunks).toBeGreaterThan(5);
  });

  test('a socket still paused at the end does not keep the next statement waiting', async () => {
    const { sink } = collector();
    let flow: Flow | null = null;
    const pausing = { ...sink, chunkEnd: () => flow?.pause() };
    const timer = setInterval(() => flow?.resume(), 5);
    await copyOut(
      client,
      copy('select 1'),
      pausing,
      (given) => {
        flow = given;
      },
      forever,
    );
    clearInterval(timer);
    expect((await client.query('select 42 as n')).rows).toEqual([{ n: 42 }]);
  });

  test('a failure told through the flow ends the connection with that error', async () => {
    let flow: Flow | null = null;
    const { sink } = collector((row) => {
      if (row === 10) setImmediate(() => flow!.fail(new Error('the lake is full')));
    });
    const error = await failure(
      copyOut(
        client,
        copy('select i, pg_sleep(0.0001) from generate_series(1, 1000000) i'),
        sink,
        (given) => {
          flow = given;
        },
        forever,
      ),
    );
    expect(error.message).toBe('the lake is full');
    expect(socketOf(client).destroyed).toBe(true);
  });
});
