/** `tidemark schema`: JSON Schema of tidemark.yaml, for editors. */

import { z } from 'zod';
import { configSchema } from '../config/schema.ts';
import type { CommandContext } from './context.ts';

/** Prints it whether or not --json is there: it is JSON either way. */
export async function runSchema(_options: object, context: CommandContext): Promise<number> {
  const text = jsonSchema();
  context.out.json(text);
  context.out.line(JSON.stringify(text, null, 2));
  return 0;
}

/** Of the file as written: sizes and durations are texts, `${NAME}` may stand for a number. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  return { title: 'tidemark.yaml', ...schema };
}
