/** `tidemark schema`: JSON Schema of tidemark.yaml, for editors. */

import { z } from 'zod';
import { configSchema } from '../config/schema.ts';
import type { CommandContext } from './context.ts';

const REFERENCE = '\\$\\{';

/** Prints it whether or not --json is there: it is JSON either way. */
export async function runSchema(_options: object, context: CommandContext): Promise<number> {
  const text = jsonSchema();
  context.out.json(text);
  context.out.line(JSON.stringify(text, null, 2));
  return 0;
}

/** Of the file as written: sizes and durations are texts, `${NAME}` may stand for a number. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7', override: allowReferences });
  return { title: 'tidemark.yaml', ...schema };
}

/** An editor knows nothing of the environment: where a text has a form or a list of choices, a `${NAME}` is fine too. */
function allowReferences({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  const { pattern, enum: choices } = jsonSchema;
  if (typeof pattern === 'string') jsonSchema.pattern = `${pattern}|${REFERENCE}`;
  if (jsonSchema.type !== 'string' || !Array.isArray(choices)) return;
  delete jsonSchema.enum;
  jsonSchema.anyOf = [{ enum: choices }, { pattern: REFERENCE }];
}
