/** Logs on stderr. Invariant: every line goes through redact() and, on a terminal, above what is drawn there. */

import { type Logger, type LoggerOptions, pino, stdSerializers } from 'pino';
import { redact } from '../config/redact.ts';
import { TidemarkError } from '../model/error.ts';

export type LogOptions = { level: string; pretty: boolean; colors: boolean; secrets: readonly string[] };

/** `write` takes whole lines. */
export async function createLog(write: (text: string) => void, options: LogOptions): Promise<Logger> {
  const { level, secrets } = options;
  const render = options.pretty ? await prettyLines(options.colors) : (line: string) => line;
  const settings: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      err: (error) => (['trace', 'debug'].includes(level) ? stdSerializers.err(error) : shortError(error)),
    },
  };
  return pino(settings, { write: (line: string) => write(redact(render(line), secrets)) });
}

async function prettyLines(colorize: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const render = prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss', singleLine: true });
  return (line) => render(line) ?? '';
}

// A stack tells a user nothing, and hides the one line that does.
function shortError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, cause } = error;
  const reason = cause instanceof Error ? { cause: cause.message } : {};
  if (!(error instanceof TidemarkError)) {
    const { code } = error as NodeJS.ErrnoException;
    // A DOMException's is a number that nobody knows.
    return { ...(typeof code === 'string' && { code }), message, ...reason };
  }
  return { code: error.code, message, hint: error.hint, ...error.place, ...reason };
}
