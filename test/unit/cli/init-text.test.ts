// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own syntax.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { configText, type Found, yamlText } from '../../../src/cli/init-text.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { resolveTables } from '../../../src/config/resolve-tables.ts';
import { displayName } from '../../../src/model/table.ts';
import type { CatalogTable } from '../../../src/postgres/tables.ts';

const table = (schema: string, name: string, more: Partial<CatalogTable> = {}): CatalogTable => ({
  name: { schema, table: name },
  columns: ['id', 'updated_at'],
  timeColumns: [{ name: 'updated_at', type: 'timestamptz', nullable: false, indexed: true }],
  primaryKey: ['id'],
  partitioned: false,
  estimatedRows: 1234,
  mayRead: true,
  mayUseSchema: true,
  rowSecurity: false,
  ...more,
});

const found = (tables: CatalogTable[], more: Partial<Found> = {}): Found => ({
  database: 'shop',
  version: '18.4',
  role: 'tm',
  standby: false,
  lake: 'file:./lake',
  tables,
  ...more,
});

const read = (text: string, env: Record<string, string> = { DATABASE_URL: 'postgres://h/d' }) =>
  parseConfig(text, { file: '/t.yaml', shown: 't.yaml', env });

test('any names: what was written reads back as exactly these tables, each with a folder of its own', () => {
  const name = fc.oneof(
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    fc.constantFrom('null', 'yes', '${X}', 'a: b', 'x # y', '*', 'a\nb', '"', "it's", 'A', 'a', '-', '?', '...', '_2'),
  );
  const names = fc.uniqueArray(fc.tuple(fc.constantFrom('public', 'app', 'public_app'), name), {
    selector: ([a, b]) => JSON.stringify([a, b]),
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(names, fc.boolean(), (all, bare) => {
      const tables = all.map(([schema, one]) => table(schema, one, bare ? { primaryKey: [], timeColumns: [] } : {}));
      const settings = resolveTables(read(configText(found(tables))), tables);
      expect(settings.map((each) => displayName(each.name)).sort()).toEqual(
        tables.map((each) => displayName(each.name)).sort(),
      );
      expect(
        settings.every(({ key, cursor }) =>
          bare ? key === 'none' && cursor === 'none' : key === 'default' && cursor === 'default',
        ),
      ).toBe(true);
    }),
  );
});

test('a text is read as it was', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
      const { tables } = read(
        `source: { url: "postgres://h/d" }\nlake: file:./x\ntables:\n  - table: a\n    where: ${yamlText(text)}\n`,
      );
      expect(tables[0].where).toBe(text);
    }),
  );
});

test('tables by what a run can do with them, and what is missing as statements', () => {
  const text = configText(
    found([
      table('public', 'invoice'),
      table('public', 'customer', {
        timeColumns: [{ name: 'updated_at', type: 'timestamptz', nullable: true, indexed: false }],
      }),
      table('public', 'parts', {
        partitioned: true,
        timeColumns: [{ name: 'updated_at', type: 'date', nullable: true, indexed: false }],
      }),
      table('public', 'genre', { timeColumns: [], estimatedRows: null }),
      table('public', 'log', {
        primaryKey: [],
        timeColumns: [{ name: 'At', type: 'timestamp', nullable: true, indexed: true }],
      }),
      table('app', 'secret', { mayRead: false, mayUseSchema: false }),
      table('public', 'ruled', { rowSecurity: true }),
    ]),
  );
  const lines = text.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));
  for (const line of [
    '- table: invoice # about 1,234 rows',
    '# no index: -- CREATE INDEX CONCURRENTLY ON public.customer (updated_at);',
    '- table: parts # about 1,234 rows, partitioned',
    '# no index: -- CREATE INDEX ON public.parts (updated_at);',
    '- table: genre # never analyzed',
    'cursor: none # no column of a time type',
    'cursor: none # or "At"',
    'key: none # no primary key: `key: [column, …]` if some columns tell rows apart',
    '# - table: app.secret -- GRANT USAGE ON SCHEMA app TO tm; GRANT SELECT ON app.secret TO tm;',
    '# - table: ruled -- ALTER ROLE tm BYPASSRLS (row security hides rows);',
  ]) {
    expect(lines).toContain(line);
  }
  expect(read(text).tables.map((entry) => entry.table)).toEqual(['invoice', 'customer', 'parts', 'genre', 'log']);
});

test('nothing to export is an empty list; a standby needs another place for its state', () => {
  expect(read(configText(found([]))).tables).toEqual([]);
  const env = { DATABASE_URL: 'postgres://h/d', TIDEMARK_STATE_URL: 'postgres://h/other' };
  expect(read(configText(found([], { standby: true })), env).state).toMatchObject({
    url: 'postgres://h/other',
    isSource: false,
  });
});

test('no name ends the comment that it stands in', () => {
  const odd = { database: 'a\nsource: {}', role: 'x\nlake: y' };
  const { lake } = read(configText(found([table('public', 'a\nb', { mayRead: false })], odd)));
  expect(lake.url).toBe('file:./lake');
});
