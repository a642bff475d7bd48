/** Where a value stands in a row: `$.user.id`, `$.items[0]`, `$['odd name']`; a name alone is a name. Pure. */

import { TidemarkError } from '../model/error.ts';

const STEP = /\.([^.[\]'"\s]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** The names on the way; none for `$`, the whole row. Throws CONFIG_INVALID. */
export function parseRowPath(text: string): (string | number)[] {
  if (!text.startsWith('$')) return [text];
  const path: (string | number)[] = [];
  for (let at = 1; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match) {
      throw new TidemarkError('CONFIG_INVALID', `${JSON.stringify(text)} is no path into a row`, {
        hint: "write $.user.id, $.items[0] or $['odd name']; $ alone is the whole row",
      });
    }
    const [, name, index, single, double] = match;
    path.push(index === undefined ? (name ?? (single ?? double).replaceAll(/\\(.)/g, '$1')) : Number(index));
  }
  return path;
}
