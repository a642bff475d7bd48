import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { jsonSchema } from '../../../src/cli/schema.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { readYaml } from '../../../src/config/yaml-text.ts';
import { ROOT } from '../../support/postgres-server.ts';

const file = path.join(ROOT, 'config/example.yaml');
const text = await readFile(file, 'utf8');

type Schema = {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  additionalProperties?: Schema | boolean;
};

/** Every key that the schema knows, as `tables[].columns.*.type`. */
function keysOf(schema: Schema, at = ''): string[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, each]) => [
      `${at}${key}`,
      ...keysOf(each, `${at}${key}.`),
    ]),
    ...(schema.items ? keysOf(schema.items, `${at}[].`) : []),
    ...(schema.anyOf ?? []).flatMap((each) => keysOf(each, at)),
    ...(typeof schema.additionalProperties === 'object' ? keysOf(schema.additionalProperties, `${at}*.`) : []),
  ];
}

/** The same of a value, its own keys at a free place (`*`) under both names. */
function usedKeys(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => usedKeys(each, `${at}[].`));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, each]) => [
    `${at}${key}`,
    ...usedKeys(each, `${at}${key}.`),
    ...usedKeys(each, `${at}*.`),
  ]);
}

test('the example is valid without anything in the environment', () => {
  const config = parseConfig(text, { file, shown: 'config/example.yaml', env: {} });
  expect(config.tables).toHaveLength(4);
  expect(config.lake).toMatchObject({ url: 'file:./lake', baseDir: path.dirname(file) });
});

test('the example shows every key of the schema', () => {
  const used = new Set(usedKeys(readYaml(text).value));
  const once = (key: string) => !key.startsWith('loads.[].s3.');
  const missing = keysOf(jsonSchema() as Schema).filter((key) => once(key) && !used.has(key));
  expect(missing).toEqual([]);
  expect(used.size).toBeGreaterThan(80);
});

test('every key has a description for editors', () => {
  const undescribed = (schema: Schema & { description?: string }, at: string): string[] =>
    Object.entries((schema.properties ?? {}) as Record<string, Schema & { description?: string }>).flatMap(
      ([key, each]) => [...(each.description ? [] : [`${at}${key}`]), ...undescribed(each, `${at}${key}.`)],
    );
  expect(undescribed(jsonSchema() as Schema, '')).toEqual([]);
});
