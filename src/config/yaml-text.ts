/** A YAML file's values, and where each of them stands. */

import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { mask, unmask } from './substitute.ts';

export type Path = (string | number)[];

export type Position = { line: number; column: number };

export type YamlText = {
  /** Plain objects, arrays and scalars, `${NAME}` as written. */
  value: unknown;
  /** Of the value; of its key with `key`; of the nearest one around it when there is none. */
  positionOf(path: Path, what?: 'value' | 'key'): Position;
  /** Why it cannot be read; then there is no value. */
  errors: { message: string; position: Position }[];
};

export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(mask(text), { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const errors = [...document.errors, ...document.warnings].map((error) => ({
    message: unmask(error.message).replaceAll('\n', ' '),
    position: at(error.pos[0]),
  }));
  let value: unknown;
  if (errors.length === 0) {
    try {
      value = mapText(document.toJS(), unmask);
    } catch (error) {
      // Too many aliases of aliases, or one that refers to itself.
      errors.push({ message: (error as Error).message, position: at(0) });
    }
  }
  return { value, errors, positionOf: (path, what = 'value') => at(offsetOf(document, path, what)) };
}

function offsetOf(document: Document, path: Path, what: 'value' | 'key'): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const [i, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    let next: Node | null = null;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step));
      if (!pair) return offset;
      const last = i === path.length - 1;
      const key = pair.key as Node;
      next = pair.value as Node | null;
      if (last && what === 'key') return key.range?.[0] ?? offset;
      offset = next?.range?.[0] ?? key.range?.[0] ?? offset;
    } else if (isSeq(node)) {
      next = (node.items[Number(step)] as Node | undefined) ?? null;
      if (!next) return offset;
      offset = next.range?.[0] ?? offset;
    } else return offset;
    node = next;
  }
  return offset;
}

/** A copy in which every text went through `change`, which is also told its path. Keys stay. */
export function mapText(value: unknown, change: (text: string, path: Path) => string, path: Path = []): unknown {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((each, i) => mapText(each, change, [...path, i]));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mapText(each, change, [...path, key])]));
  }
  return value;
}
