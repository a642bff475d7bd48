/**
 * The filters that DuckDB's optimizer pushed down into each scan. Invariant: a row of the table that fails them takes no part
 * in the result; what is not understood is `any`, which every row passes. Pure.
 */

/** `type`: DuckDB's name of it; values as DuckDB holds them: days, microseconds, a decimal's digits as one integer. */
export type Constant = { type: string; scale: number; value: bigint | number | string };

export type Filter =
  | { kind: 'any' | 'null' | 'not-null' }
  | { kind: '=' | '<' | '<=' | '>' | '>='; value: Constant }
  | { kind: 'and' | 'or'; filters: Filter[] };

/** One scan of a table: a statement may have several of the same one. */
export type Scan = { schema: string; table: string; filters: { column: string; filter: Filter }[] };

// biome-ignore lint/suspicious/noExplicitAny: a plan is DuckDB's own JSON, and every step looks whether a part is there.
type Json = any;

const ANY: Filter = { kind: 'any' };

/** `plan`: what json_serialize_plan() gave. Null when it cannot be read: then every file is needed. */
export function scansOf(plan: string): Scan[] | null {
  let root: Json;
  try {
    // Numbers as their text: a bigint would lose digits. NaN and Infinity are no JSON: unreadable.
    root = JSON.parse(plan, (_key, value, context?: { source?: string }) =>
      typeof value === 'number' ? { digits: context!.source! } : value,
    );
  } catch {
    return null;
  }
  if (root.error !== false || !Array.isArray(root.plans)) return null;
  const scans: Scan[] = [];
  collect(root.plans, scans);
  return scans;
}

function collect(node: Json, scans: Scan[]): void {
  if (node === null || typeof node !== 'object') return;
  if (node.type === 'LOGICAL_GET') {
    const { schema, table } = node.function_data ?? {};
    if (typeof table === 'string') scans.push({ schema, table, filters: filtersOf(node) });
  }
  for (const child of Object.values(node)) collect(child, scans);
}

function filtersOf(scan: Json): Scan['filters'] {
  const filters: Json[] = scan.table_filters?.filters ?? [];
  return filters.flatMap(({ key, value }) => {
    const column = scan.names?.[Number(key?.digits)];
    return typeof column === 'string' ? [{ column, filter: filterOf(value) }] : [];
  });
}

const COMPARISONS: Record<string, '=' | '<' | '<=' | '>' | '>='> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
};

function filterOf(node: Json): Filter {
  switch (node?.filter_type) {
    case 'CONSTANT_COMPARISON': {
      const kind = COMPARISONS[node.comparison_type];
      const value = constantOf(node.constant);
      return kind && value ? { kind, value } : ANY;
    }
    case 'IN_FILTER':
      return anyOf(
        node.values.map((each: Json): Filter => {
          const value = constantOf(each);
          return value ? { kind: '=', value } : ANY;
        }),
      );
    case 'CONJUNCTION_OR':
      return anyOf(node.child_filters.map(filterOf));
    case 'CONJUNCTION_AND':
      return { kind: 'and', filters: node.child_filters.map(filterOf) };
    // Its scan may leave it out, yet a row that fails it fails a filter above the scan.
    case 'OPTIONAL_FILTER':
      return node.child_filter ? filterOf(node.child_filter) : ANY;
    case 'IS_NULL':
      return { kind: 'null' };
    case 'IS_NOT_NULL':
      return { kind: 'not-null' };
    case 'EXPRESSION_FILTER': {
      const { type, children } = node.expr ?? {};
      if (children?.length !== 1 || children[0]?.type !== 'BOUND_REF') return ANY;
      if (type === 'OPERATOR_IS_NULL') return { kind: 'null' };
      return type === 'OPERATOR_IS_NOT_NULL' ? { kind: 'not-null' } : ANY;
    }
    default:
      return ANY;
  }
}

function anyOf(filters: Filter[]): Filter {
  return filters.length === 0 ? ANY : { kind: 'or', filters };
}

function constantOf(node: Json): Constant | null {
  const type: unknown = node?.type?.id;
  if (node?.is_null !== false || typeof type !== 'string') return null;
  const { value } = node;
  const scale = Number(node.type.type_info?.scale?.digits ?? 0);
  if (type === 'VARCHAR') {
    // A collation orders otherwise than the bytes, which statistics go by.
    return typeof value === 'string' && !node.type.type_info?.collation ? { type, scale, value } : null;
  }
  if (type === 'FLOAT' || type === 'DOUBLE') {
    return value?.digits === undefined ? null : { type, scale, value: Number(value.digits) };
  }
  if (value?.digits !== undefined)
    return /^-?\d+$/.test(value.digits) ? { type, scale, value: BigInt(value.digits) } : null;
  if (value?.upper?.digits === undefined || value?.lower?.digits === undefined) return null;
  return { type, scale, value: (BigInt(value.upper.digits) << 64n) + BigInt(value.lower.digits) };
}
