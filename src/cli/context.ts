/** What every command gets besides its own options. Invariant: a command touches no process global; all of it comes from here. */

import type { Logger } from 'pino';
import type { Output } from './output.ts';
import type { Screen } from './screen.ts';

export type CommandContext = {
  /** `--config`; undefined: the usual places are tried. */
  configFile: string | undefined;
  cwd: string;
  env: Record<string, string | undefined>;
  /** One JSON document on stdout instead of text. */
  json: boolean;
  /** Nothing but results, warnings and errors. */
  quiet: boolean;
  /** To stderr: JSON lines, or readable ones on a terminal. */
  log: Logger;
  /** Results, to stdout. */
  out: Output;
  /** All of stdin, as text. */
  stdin(): Promise<string>;
  /** Lines on stderr that are drawn again and again; null when it is no terminal, or with --quiet. */
  screen: Screen | null;
  /** Passwords and tokens that were read; whatever is printed or logged goes through redact() with them. */
  secrets: string[];
  /** Aborted by SIGINT and SIGTERM; the command then ends within 10 seconds, returning or throwing whatever it likes. */
  signal: AbortSignal;
  /** Calls the listener at each SIGHUP, which otherwise ends the process. */
  onReload?(listener: () => void): void;
};
