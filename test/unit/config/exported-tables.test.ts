import { describe, expect, test } from 'vitest';
import type { Config, TableEntry } from '../../../src/config/config.ts';
import { exportedTables } from '../../../src/config/exported-tables.ts';
import { displayName } from '../../../src/model/table.ts';

const defaults = { merge: 'rewrite' } as Config['defaults'];
const ALL: TableEntry[] = [{ table: '*.*' }];
/** `app/x@folder`; public and a folder like the table without. */
const exported = (...tables: string[]) =>
  tables.map((text) => {
    const [name, folder] = text.split('@');
    const [schema, table] = name.includes('/') ? name.split('/') : ['public', name];
    const where = folder ?? (schema === 'public' ? table : `${schema}_${table}`);
    return { name: { schema, table }, folder: where, columns: ['id', 'name'] };
  });
const named = (tables: TableEntry[], there: ReturnType<typeof exported>, wanted?: string[]) =>
  exportedTables({ tables, defaults }, there, wanted).map(({ name }) => displayName(name));

describe('all tables', () => {
  test('are those that were exported and that the configuration does not skip', () => {
    const entries = [...ALL, { table: 'log', skip: true }];
    expect(named(entries, exported('b', 'a', 'log', 'app/x'))).toEqual(['app.x', 'public.a', 'public.b']);
    expect(named([{ table: 'public.*' }], exported('a', 'app/x'))).toEqual(['public.a']);
  });

  test('an entry for a table that was not exported yet is no mistake', () => {
    expect(named([...ALL, { table: 'later', as: 'x' }], exported('a'))).toEqual(['public.a']);
  });

  test('a table counts in the folder that it has now', () => {
    const entries = [...ALL, { table: 'a', as: 'new' }];
    expect(named(entries, exported('a', 'b'))).toEqual(['public.b']);
    expect(exportedTables({ tables: entries, defaults }, exported('a', 'a@new'))).toMatchObject([{ folder: 'new' }]);
  });

  test('have the settings of their entries', () => {
    const entries: TableEntry[] = [...ALL, { table: 'a', merge: 'vectors' }];
    expect(exportedTables({ tables: entries, defaults }, exported('a', 'b'))).toMatchObject([
      { merge: 'vectors' },
      { merge: 'rewrite' },
    ]);
    // What a pattern says of columns counts where the table has them.
    const keys = (key: string[]) => exportedTables({ tables: [{ table: '*', key }], defaults }, exported('a'))[0].key;
    expect([keys(['id']), keys(['gone'])]).toEqual([['id'], 'default']);
  });
});

describe('named tables', () => {
  const there = exported('invoice', 'app/invoice', 'app/customer', 'x/only', 'y/only', 'log');

  test('come in the order of the names, each once', () => {
    expect(named(ALL, there, ['customer,app.invoice', 'invoice', 'public.invoice'])).toEqual([
      'app.customer',
      'app.invoice',
      'public.invoice',
    ]);
  });

  const failure = (wanted: string, entries = ALL) => {
    try {
      return named(entries, there, [wanted]);
    } catch (error) {
      return error;
    }
  };

  test('that no export has met are an error that names what looks alike', () => {
    expect(failure('invoce')).toMatchObject({
      code: 'TABLE_UNKNOWN',
      message: expect.stringContaining('no export has met a table invoce'),
      hint: expect.stringMatching(/^did you mean .*public\.invoice/),
    });
  });

  test('or, where nothing does, says to export it', () => {
    expect(failure('app."Wholly Other"')).toMatchObject({ hint: 'tidemark export --table app."Wholly Other"' });
  });

  test('that are skipped, ambiguous, or were exported to another folder only are errors of their own', () => {
    expect(failure('log', [...ALL, { table: 'log', skip: true }])).toMatchObject({
      code: 'TABLE_UNKNOWN',
      message: expect.stringContaining('leaves it out'),
    });
    expect(failure('only')).toMatchObject({ code: 'TABLE_AMBIGUOUS' });
    expect(failure('invoice', [...ALL, { table: 'public.invoice', as: 'inv' }])).toMatchObject({
      code: 'TABLE_UNKNOWN',
      message: expect.stringContaining('to the folder inv yet'),
      hint: 'tidemark export --table public.invoice',
    });
  });
});
