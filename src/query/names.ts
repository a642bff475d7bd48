/** Which tables a statement names. Pure. */

import { nearest } from '../config/nearest.ts';
import { TidemarkError } from '../model/error.ts';

/** `name` as written: SQL ignores its case. */
export type NamedTable = { kind: 'staged' | 'raw'; name: string };

const PART = /^(?:"((?:[^"]|"")*)"|([\p{L}_][\p{L}\p{N}_$]*))(?:\s*(\.)\s*)?/u;

/**
 * The table at the beginning of this part of a statement: `invoice`, `raw.invoice AS r`, `"odd name"`, `memory.main.invoice`.
 * Null for one of a schema that is not ours, such as information_schema, and where there is no name.
 */
export function parseName(sql: string): NamedTable | null {
  const parts: string[] = [];
  for (let rest = sql; ; ) {
    const match = PART.exec(rest);
    if (!match) return null;
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === undefined) break;
    rest = rest.slice(match[0].length);
  }
  const name = parts.at(-1)!;
  const schema = parts.at(-2)?.toLowerCase();
  if (schema === 'raw') return { kind: 'raw', name };
  return schema === undefined || schema === 'main' ? { kind: 'staged', name } : null;
}

/** SQL ignores the case of names. */
export function sameTable(a: NamedTable, b: NamedTable): boolean {
  return a.kind === b.kind && a.name.toLowerCase() === b.name.toLowerCase();
}

/** The folder that a name means: the one spelled so, else the only one that is when case does not count. */
export function folderOf(name: string, folders: readonly string[]): string | null {
  if (folders.includes(name)) return name;
  const alike = folders.filter((folder) => folder.toLowerCase() === name.toLowerCase());
  return alike.length === 1 ? alike[0] : null;
}

const LISTED = 20;

export function unknownTable({ kind, name }: NamedTable, folders: readonly string[]): TidemarkError {
  const shown = kind === 'raw' ? `raw.${name}` : name;
  const found = nearest(name, folders)[0];
  const named = (folder: string) => (kind === 'raw' ? `raw.${folder}` : folder);
  const meant = found === undefined ? '' : `did you mean ${named(found)}? `;
  const list = `${folders.slice(0, LISTED).map(named).join(', ')}${folders.length > LISTED ? `, and ${folders.length - LISTED} more` : ''}`;
  const what = kind === 'raw' ? 'was exported' : 'is staged';
  const empty =
    kind === 'raw'
      ? 'nothing was exported yet: tidemark export --all'
      : 'nothing is staged yet: tidemark compact --all';
  return new TidemarkError('TABLE_UNKNOWN', `no table ${shown} ${what}`, {
    table: shown,
    hint:
      folders.length === 0
        ? empty
        : `${meant}there are ${list}${kind === 'raw' ? '' : '; tidemark compact stages what was exported'}`,
  });
}
