/**
 * Several connections read one table under one snapshot, piece by piece. Invariant: each piece is read once; a helper is
 * never waited for before it has begun, so a run goes on with the one connection that it has.
 */

import type pg from 'pg';
import type { TableName } from '../model/table.ts';
import type { Blocks } from '../postgres/changed-rows.ts';
import { exportSnapshot, joinSnapshot } from '../postgres/join-snapshot.ts';
import type { Source } from '../postgres/source.ts';
import type { TableBlocks } from '../postgres/table-blocks.ts';
import { cutBlocks } from './cut-blocks.ts';

/** Of a piece: small, so that all end at about the same time; not so small that its statement costs. */
const PIECE_BYTES = 32 << 20;
/** Fewer pieces than this are not worth a second connection. */
const LEAST_PIECES = 4;

/** The pieces of a range of blocks; null: it is too small to be shared. */
export function piecesOf(size: TableBlocks, range: Blocks): Blocks[] | null {
  const total = size.blocks.reduce((sum, blocks) => sum + blocks, 0);
  if (!size.byBlocks || total === 0) return null;
  const within = size.blocks.map((blocks) => Math.max(0, Math.min(blocks, range.to ?? blocks) - range.from));
  const wanted = within.reduce((sum, blocks) => sum + blocks, 0);
  const starts = cutBlocks(within, Math.ceil((size.bytes * (wanted / total)) / PIECE_BYTES));
  if (starts.length < LEAST_PIECES) return null;
  return starts.map((start, i) => ({
    from: range.from + start,
    to: i + 1 < starts.length ? range.from + starts[i + 1] : range.to,
  }));
}

export type Together = { source: Source; table: TableName; pieces: Blocks[]; readers: number };

/** `client` is in the transaction whose snapshot all share. `read` is called with a reader's number, from 0, for one piece after another. */
export async function readTogether(
  client: pg.ClientBase,
  { source, table, pieces, readers }: Together,
  read: (client: pg.ClientBase, blocks: Blocks, reader: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...pieces];
  const snapshot = await exportSnapshot(client);
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const readAll = async (from: pg.ClientBase, reader: number) => {
    for (let piece = waiting.shift(); piece; piece = waiting.shift()) await read(from, piece, reader, until);
  };
  const help = async (reader: number) => {
    let joined = false;
    try {
      await source.useIfFree(async (helper) => {
        await joinSnapshot(helper, snapshot, table, source.statementTimeoutMs);
        joined = true;
        await readAll(helper, reader);
        await helper.query('commit');
      }, until);
    } catch (error) {
      // No room for one more connection, or the table is locked for newcomers: it goes on without.
      if (joined) stop.abort(error);
    }
  };
  const helpers = Array.from({ length: readers - 1 }, (_, i) => help(i + 1));
  try {
    await readAll(client, 0);
  } catch (error) {
    stop.abort(error);
  }
  // Their snapshot ends with our transaction.
  await Promise.all(helpers);
  until.throwIfAborted();
}
