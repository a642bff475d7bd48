/** Column names in the lake: as in the source, unless Delta forbids them. */

/** What tidemark adds to every raw row. */
export const ADDED_COLUMNS = { run: '_tidemark_run', op: '_tidemark_op', at: '_tidemark_at' } as const;

const FORBIDDEN = /[ ,;{}()\n\t=]/g;

/**
 * Lake names for the source's columns, in their order: forbidden characters become `_`, and a name that is taken (ignoring
 * case, by a column or by one of ours) gets `_2`, `_3` … `shadowed` columns also need `<name>__text`.
 */
export function lakeNames(
  sources: string[],
  shadowed: (source: string) => boolean,
): { name: string; shadow: string | null }[] {
  const taken = new Set<string>(Object.values(ADDED_COLUMNS));
  // A name that needs no change keeps it, whatever stands before it: `a b` must not take `a_b` from the column `a_b`.
  const clean = sources.map((source) => source.replaceAll(FORBIDDEN, '_'));
  const result: { name: string; shadow: string | null }[] = new Array(sources.length);
  const claim = (wanted: string): string => {
    let name = wanted;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted}_${n}`;
    taken.add(name.toLowerCase());
    return name;
  };
  for (const untouched of [true, false]) {
    for (const [i, source] of sources.entries()) {
      if ((clean[i] === source) !== untouched) continue;
      result[i] = { name: claim(clean[i]), shadow: null };
    }
  }
  for (const [i, source] of sources.entries())
    if (shadowed(source)) result[i].shadow = claim(`${result[i].name}__text`);
  return result;
}
