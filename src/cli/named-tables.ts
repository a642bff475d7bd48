/** Tables by name among those that the state store knows. Pure. Invariant: the source is not asked. */

import { ambiguous } from '../config/resolve-tables.ts';
import { displayName, type TableName } from '../model/table.ts';
import { candidates, splitNames, writtenName } from '../model/table-pattern.ts';

/** What the names stand for, each of a table's folders; names that are not known are given back. Throws USAGE, TABLE_AMBIGUOUS. */
export function namedTables<T extends { name: TableName }>(
  known: T[],
  wanted: string[],
): { found: T[]; unknown: string[] } {
  // One of each name: a table that was exported to two folders is no two tables.
  const names = [...new Map(known.map(({ name }) => [displayName(name), { name }])).values()];
  const found = new Set<T>();
  const unknown: string[] = [];
  for (const pattern of wanted.flatMap(splitNames)) {
    const there = candidates(pattern, names);
    if (there.length > 1) throw ambiguous(writtenName(pattern), there);
    if (there.length === 0) unknown.push(writtenName(pattern));
    for (const each of known) if (there[0] && displayName(each.name) === displayName(there[0].name)) found.add(each);
  }
  return { found: [...found], unknown };
}
