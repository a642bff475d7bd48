/**
 * The command line: names, options, help, and what becomes of errors. Invariant: a command's code is loaded when it runs, so
 * that --help is quick; whatever goes wrong ends here, as one line with a code.
 */

import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Command, CommanderError, Help, Option } from 'commander';
import { TidemarkError, toTidemarkError } from '../model/error.ts';
import { jsonText } from '../model/json-text.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import { errorParts, errorText, exitCodeOf } from './error-output.ts';
import { createOutput } from './output.ts';
import { createScreen, type Terminal } from './screen.ts';

type Stream = Writable & Terminal & { isTTY?: boolean };

/** The process, as far as commands may see it. */
export type Io = {
  stdout: Stream;
  stderr: Stream;
  /** Opened when it is read. */
  stdin?: () => Readable;
  cwd: string;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
  /** See CommandContext. */
  onReload?: (listener: () => void) => void;
};

type Globals = { config?: string; json?: boolean; quiet?: boolean; logLevel?: string };

type Run = (options: never, context: CommandContext) => Promise<number>;

// pino's; not imported from log.ts, which would load pino for --help.
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Runs one command line; returns the exit code, never throws. */
export async function runProgram(argv: string[], io: Io): Promise<number> {
  const secrets: string[] = [];
  let exit = 0;
  const program = buildProgram(io, async (globals, options, load) => {
    const context = await createContext(globals, io, secrets);
    try {
      exit = await (await load())(options as never, context);
    } catch (error) {
      if (!io.signal.aborted) context.log.debug({ err: error }, 'failed');
      throw error;
    } finally {
      context.screen?.[Symbol.dispose]();
    }
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const stop = io.signal.aborted && (error === io.signal.reason || (error as Error)?.name === 'AbortError');
    if (stop) return 1;
    const known = error instanceof CommanderError ? usageError(error) : toTidemarkError(error);
    if (argv.includes('--json')) io.stdout.write(`${jsonText({ error: errorParts(known, secrets) })}\n`);
    else io.stderr.write(`${errorText(known, secrets)}\n`);
    return exitCodeOf(known);
  }
}

type Start = (globals: Globals, options: object, load: () => Promise<Run>) => Promise<void>;

function buildProgram(io: Io, start: Start): Command {
  const program = new Command('tidemark')
    .description(
      'Exports the changed rows of a Postgres database to Parquet files, and keeps the current state as Delta tables.',
    )
    .version(VERSION, '-V, --version')
    .option('--config <file>', 'configuration (default: tidemark.yaml, then config/tidemark.yaml)')
    .option('--json', 'one JSON document on stdout')
    .addOption(new Option('--log-level <level>', 'of the log on stderr').choices(LEVELS))
    .option('--quiet', 'results, warnings and errors only')
    .helpCommand(false)
    .configureHelp({
      showGlobalOptions: true,
      sortSubcommands: false,
      // That a flag is off and a list is empty need not be said.
      optionDescription: (option) => new Help().optionDescription(option).replace(/ \(default: (false|\[\])\)/, ''),
    })
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => {} })
    .exitOverride();

  const command = (name: string, description: string, load: () => Promise<Run>) =>
    program
      .command(name)
      .description(description)
      .allowExcessArguments(false)
      .action(async (options: object, self: Command) => start(self.optsWithGlobals(), options, load));
  const tables = (own: Command) =>
    own.option('--table <name>', 'schema.table, or table; repeated or with commas between', collect, [] as string[]);

  command(
    'init',
    'look at the database, write a commented tidemark.yaml',
    async () => (await import('./init.ts')).runInit,
  )
    .option('--source <url>', 'the database (default: $DATABASE_URL)')
    .option('--lake <url>', 'where files shall go: file:./lake or s3://bucket/prefix', 'file:./lake');
  command(
    'doctor',
    'check connections, grants, indexes and the lake; say how to mend them',
    async () => (await import('./doctor.ts')).runDoctor,
  );
  command('migrate', 'create or upgrade the state store', async () => (await import('./migrate.ts')).runMigrate);
  tables(
    command('export', 'export what changed since the last run', async () => (await import('./export.ts')).runExport),
  )
    .option('--all', 'every configured table', false)
    .option('--full', 'every row, whatever was exported before', false)
    .option('--since <value>', 'repeat rows whose cursor is at or after it: 2026-11-20, 2026-11-20 10:22:30+01')
    .option('--until <value>', 'with --since: and before it')
    .option('--dry-run', 'say what would be read, and read nothing', false)
    .hook('preAction', (own) => whichTables(own.opts()));
  tables(
    command(
      'compact',
      'bring the staged tables to what was exported',
      async () => (await import('./compact.ts')).runCompact,
    ),
  )
    .option('--all', 'every exported table', false)
    .option('--optimize', 'put the whole table in order: files of good size, sorted by key', false)
    .option('--rebuild', 'make the staged table anew, from the raw files alone', false)
    .option('--as-of <time>', 'with --rebuild: as it was then, into a folder of its own')
    .option('--full-schema', 'let go of columns that the source has no more', false)
    .hook('preAction', (own) => whichTables(own.opts()));
  tables(
    command(
      'reconcile',
      'find rows that were deleted in the source, and write them to raw/ as deletes',
      async () => (await import('./reconcile.ts')).runReconcile,
    ),
  )
    .option('--all', 'every configured table', false)
    .option('--accept-deletes', 'also where most of a table is gone', false)
    .option('--dry-run', 'count them and show some keys; write nothing', false)
    .hook('preAction', (own) => whichTables(own.opts()));
  tables(
    command(
      'history',
      'the versions of a staged table, and what each did',
      async () => (await import('./history.ts')).runHistory,
    ),
  )
    .option('--limit <count>', 'so many versions, the newest first', '20')
    .hook('preAction', (own) => whichTables({ all: false, ...own.opts<{ table: string[] }>() }, 'name it: --table T'));
  tables(
    command(
      'vacuum',
      'delete files of staged tables that no version within the retention needs; archive the manifest of old runs',
      async () => (await import('./vacuum.ts')).runVacuum,
    ),
  )
    .option('--all', 'every exported table', false)
    .option('--dry-run', 'list what would go, and delete nothing', false)
    .option('--retention <time>', 'how long older versions stay readable, such as 7d (default: defaults.retention)')
    .hook('preAction', (own) => whichTables(own.opts()));
  program
    .command('load')
    .description('load event files into Postgres, each once: all that are there now')
    .argument('[name...]', 'loads of the configuration (default: all)')
    .option('--replay', 'take rejects and dead drops again', false)
    .option('--dry-run', 'show the first rows and rejects; claim and write nothing', false)
    .option('--date <days>', 'of a pattern with {yyyy}-{mm}-{dd}: a day, or D..D')
    .option('--create', 'print the CREATE TABLE, and do nothing', false)
    .action(async (names: string[], options: object, self: Command) =>
      start(self.optsWithGlobals(), { ...options, names }, async () => (await import('./load.ts')).runLoad),
    );
  program
    .command('daemon')
    .description('all of it on the schedule, with the status page; until a signal stops it')
    .option('--no-page', 'without the status page')
    .allowExcessArguments(false)
    .action(async (options: object, self: Command) => {
      const globals: Globals = self.optsWithGlobals();
      // It draws nothing, so its log is what there is to see on a terminal too.
      const logLevel = globals.logLevel ?? (globals.quiet ? 'warn' : 'info');
      return start({ ...globals, logLevel }, options, async () => (await import('./daemon.ts')).runDaemon);
    });
  tables(
    command('status', 'what is where, how late, what failed last', async () => (await import('./status.ts')).runStatus),
  )
    .option('--check', 'print only what is wrong, and exit with 1 then', false)
    .option('--max-lag <time>', 'with --check: how far behind a table may be (default: 15m)');
  tables(
    command(
      'pause',
      'hold tables: no export and no compaction begins',
      async () => (await import('./pause.ts')).runPause,
    ),
  )
    .option('--all', 'every configured table', false)
    .hook('preAction', (own) => whichTables(own.opts()));
  tables(command('resume', 'let paused tables go on', async () => (await import('./pause.ts')).runResume))
    .option('--all', 'every paused table', false)
    .hook('preAction', (own) => whichTables(own.opts(), '--table NAME for some, --all for every paused one'));
  command('lease', 'who holds what', async () => (await import('./lease.ts')).runLease)
    .option(
      '--release <table>',
      'take its leases from whoever holds them; repeated or with commas between',
      collect,
      [] as string[],
    )
    .addOption(
      new Option('--kind <kind>', 'with --release: only leases of that kind').choices(['export', 'compact', 'archive']),
    )
    .option('--force', 'with --release: also from a process that lives, whose run then comes to nothing', false);
  program
    .command('query')
    .description('DuckDB over the lake: each staged table by its folder, raw.<folder> is its history')
    .argument('<sql>', 'one statement that reads; - takes it from stdin')
    .addOption(new Option('--format <format>', 'default: table').choices(['table', 'csv', 'json', 'parquet']))
    .option('--at-version <n>', 'the table as that version was')
    .option('--output <file>', 'a file instead of stdout; its suffix chooses the format')
    .allowExcessArguments(false)
    .action(async (sql: string, options: object, self: Command) =>
      start(self.optsWithGlobals(), { ...options, sql }, async () => (await import('./query.ts')).runQuery),
    );
  command('schema', 'JSON Schema of tidemark.yaml, for editors', async () => (await import('./schema.ts')).runSchema);
  return program;
}

function collect(name: string, names: string[]): string[] {
  return [...names, name];
}

function whichTables(
  { table, all }: { table: string[]; all: boolean },
  hint = '--table NAME for some, --all for every configured one',
): void {
  if (table.length > 0 !== all) return;
  throw new TidemarkError('USAGE', all ? '--table and --all exclude each other' : 'which tables?', {
    hint,
  });
}

async function createContext(globals: Globals, io: Io, secrets: string[]): Promise<CommandContext> {
  const { json = false, quiet = false } = globals;
  const terminal = io.stderr.isTTY === true;
  const screen = terminal && !quiet ? createScreen(io.stderr) : null;
  const write = (text: string) => void (screen ?? io.stderr).write(text);
  const { createLog } = await import('./log.ts');
  // On a terminal progress is drawn, and lines that say the same would chase it away.
  const level = globals.logLevel ?? (quiet || terminal ? 'warn' : 'info');
  return {
    configFile: globals.config,
    cwd: io.cwd,
    env: io.env,
    json,
    quiet,
    log: await createLog(write, { level, pretty: terminal, colors: terminal && colorful(io.env), secrets }),
    out: createOutput(io.stdout, { json, colors: io.stdout.isTTY === true && colorful(io.env) }),
    stdin: async () => (io.stdin ? text(io.stdin()) : ''),
    screen,
    secrets,
    signal: io.signal,
    onReload: (listener) => io.onReload?.(listener),
  };
}

function colorful(env: Record<string, string | undefined>): boolean {
  return !env.NO_COLOR && env.TERM !== 'dumb';
}

/** commander's words, in our form. */
function usageError({ message, code }: CommanderError): TidemarkError {
  if (code === 'commander.help')
    return new TidemarkError('USAGE', 'which command?', { hint: 'tidemark --help lists them' });
  const [, words, , meant] = /^(?:error: )?([^\n]*)(\n\(Did you mean (.*)\?\))?/.exec(message)!;
  return new TidemarkError('USAGE', words, {
    hint: meant ? `did you mean ${meant}?` : 'tidemark --help, or --help after a command',
  });
}
