/** doctor's look at the configured tables: one line for what is well with all, one for each that is not. Pure but for null_frac. */

import type pg from 'pg';
import { countDoubt, countProblem } from '../export/check-count.ts';
import { formatCount } from '../model/format.ts';
import { displayName, quoteName, type TableSettings } from '../model/table.ts';
import type { CursorFacts } from '../postgres/cursor-facts.ts';
import type { CatalogTable, TimeColumn } from '../postgres/tables.ts';
import type { Check } from './doctor-check.ts';
import { createIndex, grantSelect } from './remedy.ts';

export type Checked = { settings: TableSettings; table: CatalogTable; facts: CursorFacts };

/** Share of rows whose cursor is NULL, by displayName(); missing: the table was never analyzed. */
export type NullShares = Map<string, number>;

type Problem = { state: 'warn' | 'fail'; found: string; remedy?: string } | null;

export function checkTables(tables: Checked[], role: string, nulls: NullShares): Check[] {
  const group = (check: string, well: (count: number) => string, look: (one: Checked) => Problem): Check[] => {
    const bad = tables.flatMap((one): Check[] => {
      const problem = look(one);
      const table = displayName(one.settings.name);
      return problem ? [{ group: 'tables', check, table, ...problem, found: `${table}: ${problem.found}` }] : [];
    });
    const count = tables.length - bad.length;
    const ok: Check = { group: 'tables', check, state: 'ok', found: well(count) };
    return count > 0 ? [ok, ...bad] : bad;
  };
  const of = (count: number) => `${formatCount(count)} ${count === 1 ? 'table' : 'tables'}`;
  return [
    ...group('kind', (n) => `${of(n)} with transaction ids of their own`, kindProblem).filter(
      ({ state }) => state !== 'ok',
    ),
    ...group(
      'grant',
      (n) => `${of(n)} readable`,
      ({ table }) => grantProblem(table, role),
    ),
    ...group('key', (n) => `${of(n)} with a key, or meant to have none`, keyProblem),
    ...group(
      'cursor',
      (n) => `${of(n)}, ${formatCount(tables.filter((one) => !cursorOf(one)).length)} scanned by every run`,
      cursorProblem,
    ),
    ...group('cursor values', (n) => `${of(n)} whose cursor the server sets, or none`, valuesProblem),
    ...group('index', (n) => `${of(n)} with an index on the cursor, or none needed`, indexProblem),
    ...group(
      'null cursors',
      (n) => `${of(n)} without, as far as Postgres has counted`,
      (one) => nullProblem(one, nulls),
    ),
  ];
}

function kindProblem({ facts: { strange } }: Checked): Problem {
  if (!strange) return null;
  return {
    state: 'fail',
    found: `${strange.leaf} is ${strange.what}`,
    remedy: 'leave the table out with `skip: true`',
  };
}

function grantProblem(table: CatalogTable, role: string): Problem {
  if (!table.mayRead || !table.mayUseSchema) {
    return { state: 'fail', found: `${role} may not read it`, remedy: grantSelect(table, role) };
  }
  if (!table.rowSecurity) return null;
  return {
    state: 'fail',
    found: `row security hides rows from ${role}`,
    remedy: `ALTER ROLE ${quoteName(role)} BYPASSRLS`,
  };
}

function keyProblem({ settings, table }: Checked): Problem {
  if (settings.key === 'none' || (settings.key === 'default' && table.primaryKey.length > 0)) return null;
  if (settings.key === 'default') {
    return {
      state: 'fail',
      found: 'no primary key',
      remedy: 'ALTER TABLE … ADD PRIMARY KEY, or in tidemark.yaml key: [columns], or key: none',
    };
  }
  const missing = settings.key.filter((column) => !table.columns.includes(column));
  return missing.length === 0
    ? null
    : { state: 'fail', found: `its key has no column ${missing.join(', ')}`, remedy: 'correct key: in tidemark.yaml' };
}

/** The name of the cursor column; null: the table is scanned. */
export function cursorOf({ settings, table }: Pick<Checked, 'settings' | 'table'>): string | null {
  if (settings.cursor === 'none') return null;
  if (settings.cursor === 'default') return table.timeColumns.find(({ name }) => name === 'updated_at')?.name ?? null;
  return settings.cursor.column;
}

function timeColumn(one: Checked): TimeColumn | undefined {
  return one.table.timeColumns.find(({ name }) => name === cursorOf(one));
}

function cursorProblem(one: Checked): Problem {
  const cursor = cursorOf(one);
  if (cursor === null) return null;
  const column = timeColumn(one);
  if (!one.table.columns.includes(cursor)) {
    return { state: 'fail', found: `no column ${cursor}`, remedy: 'correct cursor: in tidemark.yaml' };
  }
  if (one.facts.cursor?.count) {
    const problem = countProblem(cursor, one.facts.cursor.count);
    return problem && { state: 'fail', ...problem };
  }
  if (!column) {
    return {
      state: 'fail',
      found: `${cursor} is neither timestamptz, timestamp, date nor a counted bigint`,
      remedy: 'another cursor:, or cursor: none',
    };
  }
  if (column.type === 'timestamp' && one.settings.timezone === null) {
    return {
      state: 'warn',
      found: `${cursor} has no time zone, so a run reads back for half a day`,
      remedy: "timezone: the zone of the application's clock, such as UTC or Europe/Berlin",
    };
  }
  return null;
}

/** Whether what is in the cursor column can be trusted. */
function valuesProblem(one: Checked): Problem {
  const { cursor } = one.facts;
  const name = cursorOf(one);
  if (!cursor || name === null || cursor.kind === 'other') return null;
  if (cursor.count) {
    const doubt = countProblem(name, cursor.count) ? null : countDoubt(name, cursor.count);
    return doubt && { state: 'warn', ...doubt };
  }
  if (cursor.setByServer) return null;
  const [table, column] = [displayName(one.table.name), quoteName(name)];
  return {
    state: 'warn',
    found: `${name} has neither a default nor a trigger: the application sets it, by a clock of its own; a row that it dates more than \`margin\` into the past is not found`,
    remedy: `ALTER TABLE ${table} ALTER ${column} SET DEFAULT now(), and a trigger BEFORE UPDATE that sets it; or cursor: none`,
  };
}

function indexProblem(one: Checked): Problem {
  const name = cursorOf(one);
  const { cursor } = one.facts;
  if (!cursor || name === null || cursor.kind === 'other' || cursor.indexed) return null;
  // It is refused: an index would be of no use.
  if (cursor.count && countProblem(name, cursor.count)) return null;
  return {
    state: 'warn',
    found: `no index begins with ${name}, so every run scans the table`,
    remedy: createIndex(one.table, name),
  };
}

function nullProblem(one: Checked, nulls: NullShares): Problem {
  const share = nulls.get(displayName(one.table.name)) ?? 0;
  const cursor = cursorOf(one);
  if (share === 0 || cursor === null) return null;
  const rows = Math.round(share * (one.table.estimatedRows ?? 0));
  const [table, column] = [displayName(one.table.name), quoteName(cursor)];
  return {
    state: 'warn',
    found: `about ${formatCount(rows)} rows have NULL in ${cursor}: they are exported, but every run looks at all of them`,
    remedy: `UPDATE ${table} SET ${column} = now() WHERE ${column} IS NULL; ALTER TABLE ${table} ALTER ${column} SET NOT NULL`,
  };
}

/** From Postgres's own statistics: counting could take minutes. */
export async function nullShares(client: pg.ClientBase, tables: Checked[]): Promise<NullShares> {
  const wanted = tables.flatMap((one) => {
    const column = timeColumn(one);
    return column?.nullable ? [{ ...one.table.name, column: column.name }] : [];
  });
  const { rows } = await client.query<{ schemaname: string; tablename: string; share: number }>(
    `select s.schemaname, s.tablename, max(s.null_frac)::float8 as share
     from unnest($1::text[], $2::text[], $3::text[]) w(schema, name, col)
     join pg_stats s on s.schemaname = w.schema and s.tablename = w.name and s.attname = w.col group by 1, 2`,
    [wanted.map((w) => w.schema), wanted.map((w) => w.table), wanted.map((w) => w.column)],
  );
  return new Map(rows.map((row) => [displayName({ schema: row.schemaname, table: row.tablename }), row.share]));
}
