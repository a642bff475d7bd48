/**
 * DuckDB, the columnar engine of the lake, on local files only. Invariant: it keeps to the memory and the folder that it was
 * given, loads nothing from the network, and computes in UTC.
 */

import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { duckError } from './duck-error.ts';
import { ident } from './literal.ts';

export type DuckSettings = {
  /** Beyond it DuckDB spills to the folder. The process takes some 100 MB more. */
  memoryBytes: number;
  /** Of one statement; statements on several connections run side by side. */
  threads: number;
  /** Where it may spill to; made when it does, removed when it is closed. */
  tempFolder: string;
  tempBytes: number;
  /** Gives back to the system at once what a statement needed: for a process that lives on; it costs a command time. */
  givesBack?: boolean;
};

// By default up to 128 MB wait in each thread's store for the next statement, and the process grows by what lies between them.
const GIVING_BACK = {
  allocator_background_threads: 'true',
  allocator_flush_threshold: '1MB',
  allocator_bulk_deallocation_flush_threshold: '1MB',
};

/** One in-memory database. Its owner closes it, and with it every connection. */
export class Duck implements AsyncDisposable {
  readonly #instance: DuckDBInstance;
  readonly #connections: DuckConnection[] = [];

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  static async open({ memoryBytes, threads, tempFolder, tempBytes, givesBack }: DuckSettings): Promise<Duck> {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${Math.floor(memoryBytes / 1e6)}MB`,
      threads: String(threads),
      temp_directory: tempFolder,
      max_temp_directory_size: `${Math.floor(tempBytes / 1e6)}MB`,
      // A missing extension would be fetched from the network in the middle of a run.
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      ...(givesBack ? GIVING_BACK : {}),
    });
    return new Duck(instance);
  }

  /** `space`: tables of connections with the same one are shared, others are apart; default: those of the database. */
  async connect(space?: string): Promise<DuckConnection> {
    const connection = new DuckConnection(await this.#instance.connect());
    this.#connections.push(connection);
    // The machine's zone would change how timestamps print and compare with text.
    await connection.run(`SET TimeZone = 'UTC'`, new AbortController().signal);
    if (space !== undefined) {
      await connection.run(`ATTACH IF NOT EXISTS ':memory:' AS ${ident(space)}`, new AbortController().signal);
      await connection.run(`USE ${ident(space)}`, new AbortController().signal);
    }
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    this.#instance.closeSync();
  }
}

/** A row as JavaScript: integers are numbers or bigints by their type, text is text; cast anything else to text in the query. */
export type DuckRow = Record<string, unknown>;

/** One statement at a time. */
export class DuckConnection {
  readonly #connection: DuckDBConnection;

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  /** Runs statements. Throws SPOOL_FULL, MEMORY_FULL or QUERY_FAILED; the signal interrupts. */
  async run(sql: string, signal: AbortSignal): Promise<void> {
    await this.#interruptible((connection) => connection.run(sql), signal, sql);
  }

  /** All rows of the last statement. Throws as run(). */
  async rows<Row extends DuckRow>(sql: string, signal: AbortSignal): Promise<Row[]> {
    const reader = await this.#interruptible((connection) => connection.runAndReadAll(sql), signal, sql);
    return reader.getRowObjectsJS() as Row[];
  }

  /** The connection itself, for what streams; `signal` interrupts what `work` does with it. */
  async use<T>(work: (connection: DuckDBConnection) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#interruptible(work, signal);
  }

  close(): void {
    this.#connection.closeSync();
  }

  async #interruptible<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    signal: AbortSignal,
    sql?: string,
  ): Promise<T> {
    signal.throwIfAborted();
    // Interrupts what runs at this moment only: one that comes between two statements would be lost, so it is repeated.
    const interrupt = () => {
      this.#connection.interrupt();
      repeat = setInterval(() => this.#connection.interrupt(), 20);
    };
    let repeat: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', interrupt, { once: true });
    try {
      return await work(this.#connection);
    } catch (error) {
      signal.throwIfAborted();
      throw duckError(error, sql);
    } finally {
      clearInterval(repeat);
      signal.removeEventListener('abort', interrupt);
    }
  }
}
