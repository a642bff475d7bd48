/** How a type is tested: the values that a column gets, and SQL that makes values again of the text that the lake has. */

/** SQL that makes a value; plain strings are literals of the column's type. */
export type Value = string | { sql: string; since?: number };

export type TypeCase = {
  type: string;
  values: Value[];
  /** SQL from the lake's text `x` back to a value; by default a cast to the type. */
  restore: string;
  /** The lake's type, as typeName() writes it. */
  lake: string;
  /** The first Postgres that has the type so. */
  since?: number;
};

/** `since`: the first Postgres that knows the value. */
export const sql = (text: string, since?: number): Value => ({ sql: text, since });

export function scalar(lake: string, type: string, values: Value[], base = type): TypeCase {
  return { lake, type, values, restore: `x::${base}` };
}

/** Arrays and composites: through json_populate_record, which needs the column's own name. */
export function json(type: string, values: Value[]): TypeCase {
  return { lake: 'string', type, values, restore: 'POPULATE' };
}

const bound = (side: string, inclusive: string, exclusive: string) =>
  `case when (e->>'${side}_inc')::bool then '${inclusive}' else '${exclusive}' end`;
const oneRange = (range: string, subtype: string) =>
  `case when e->>'empty' = 'true' then 'empty'::${range} else ${range}((e->>'lower')::${subtype}, (e->>'upper')::${subtype},
    ${bound('lower', '[', '(')} || ${bound('upper', ']', ')')}) end`;

export function range(type: string, subtype: string, values: Value[]): TypeCase {
  return {
    lake: 'string',
    type,
    values,
    restore: `(select ${oneRange(type, subtype)} from (select x::json as e) one)`,
  };
}

export function multirange(type: string, of: string, subtype: string, values: Value[]): TypeCase {
  const restore = `(select coalesce(range_agg(${oneRange(of, subtype)}), '{}'::${type}) from json_array_elements(x::json) e)`;
  return { lake: 'string', type, values, restore };
}

/** The least, the greatest and the trickiest values of numeric(p,s). */
export function numeric(precision: number, scale: number): TypeCase {
  const digits = [
    '9'.repeat(precision),
    '1',
    `1${'0'.repeat(precision - 1)}`,
    '0',
    '5'.repeat(Math.ceil(precision / 2)),
  ];
  const values = digits.flatMap((text) => [`${text}e${-scale}`, `-${text}e${-scale}`]);
  const [p, s] = scale < 0 ? [precision - scale, 0] : [Math.max(precision, scale), scale];
  const lake = p <= 38 ? `decimal(${p},${s})` : 'string';
  const since = scale < 0 || scale > precision ? 15 : undefined;
  return { ...scalar(lake, `numeric(${precision},${scale})`, values, 'numeric'), since };
}
