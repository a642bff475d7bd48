/** Results on stdout. Invariant: with --json exactly one document comes out, and nothing else. */

import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { jsonText } from '../model/json-text.ts';

export type Style = Parameters<typeof styleText>[0];

export type Output = {
  /** One line of text for people; nothing happens with --json. */
  line(text?: string): void;
  /** The command's one JSON document (bigints become numbers, or text beyond 2^53); nothing happens without --json. */
  json(document: unknown): void;
  /** A piece of a result that is larger than a document, as it is. Resolves when there is room for more; false: nobody reads it any more (`| head`). */
  bulk(chunk: string | Uint8Array): Promise<boolean>;
  /** Null: stdout is no terminal. */
  readonly terminal: { columns: number } | null;
  /** Colours the text on a terminal (NO_COLOR is heeded), else leaves it. */
  style(style: Style, text: string): string;
};

export function createOutput(
  stream: Writable & { isTTY?: boolean; columns?: number },
  options: { json: boolean; colors: boolean },
): Output {
  return {
    line(text = '') {
      if (!options.json) stream.write(`${text}\n`);
    },
    json(document) {
      if (options.json) stream.write(`${jsonText(document)}\n`);
    },
    bulk: (chunk) => new Promise((resolve) => void stream.write(chunk, (error) => resolve(!error))),
    terminal: stream.isTTY ? { columns: stream.columns ?? 80 } : null,
    style: (style, text) => (options.colors ? styleText(style, text, { validateStream: false }) : text),
  };
}
