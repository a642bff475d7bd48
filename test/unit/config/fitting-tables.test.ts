import { expect, test } from 'vitest';
import { fittingTables } from '../../../src/config/fitting-tables.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { selectTables } from '../../../src/config/select-tables.ts';
import { displayName } from '../../../src/model/table.ts';

const parse = (tables: string) =>
  parseConfig(`source: { url: "postgres://h/d" }\nlake: file:./lake\ntables: ${tables}`, {
    file: '/t.yaml',
    shown: 't.yaml',
    env: {},
  });
const known = (...names: string[]) =>
  names.map((name) => {
    const [schema, table] = name.split('/');
    return { name: { schema, table }, columns: [] };
  });

function fitting(tables: string, ...names: string[]) {
  const found = fittingTables(parse(tables), known(...names));
  return {
    tables: found.tables.map(({ folder }) => folder),
    unfit: found.unfit.map(({ name, error }) => [displayName(name), error.code]),
  };
}

test('an entry whose table is gone does not keep the others from being exported', () => {
  const entries = '[{ table: invoice }, { table: gone }, { table: old, skip: true }, { table: "app.*" }]';
  expect(fitting(entries, 'public/invoice', 'app/x')).toEqual({
    tables: ['app_x', 'invoice'],
    unfit: [['public.gone', 'TABLE_UNKNOWN']],
  });
});

test('nor one that came to mean two tables', () => {
  const entries = '[{ table: orders }, { table: invoice }]';
  expect(fitting(entries, 'public/invoice', 'app/orders', 'archive/orders')).toEqual({
    tables: ['invoice'],
    unfit: [['public.orders', 'TABLE_AMBIGUOUS']],
  });
});

test('nor tables that would share a folder: all of them wait until one has another', () => {
  const names = ['public/Invoice', 'public/invoice', 'public/app_x', 'app/x', 'public/y'] as const;
  expect(fitting('[{ table: "*.*" }]', ...names)).toEqual({
    tables: ['y'],
    unfit: [
      ['app.x', 'FOLDER_CLASH'],
      ['public.app_x', 'FOLDER_CLASH'],
      ['public."Invoice"', 'FOLDER_CLASH'],
      ['public.invoice', 'FOLDER_CLASH'],
    ],
  });
  const config = parse('[{ table: "*.*" }]');
  const { tables, unfit } = fittingTables(config, known(...names));
  expect(() => selectTables(['invoice'], tables, known(...names), unfit)).toThrow(
    'public."Invoice" and public.invoice would both be exported to the folder invoice',
  );
  expect(selectTables(['y'], tables, known(...names), unfit)).toHaveLength(1);
});
