/** `tidemark migrate`: creates or upgrades the state store, and says what it did. */

import { loadConfig } from '../config/load-config.ts';
import type { Migrated } from '../state/migrate.ts';
import { migrateOnly } from '../state/open-state.ts';
import type { CommandContext } from './context.ts';

/** Exit code 0, also when there was nothing to do. Throws CONFIG_*, STATE_*. */
export async function runMigrate(_options: object, context: CommandContext): Promise<number> {
  const { state } = await loadConfig(context);
  const migrated = await migrateOnly({ ...state, maxConnections: 1, env: context.env }, context.log, context.signal);
  context.out.json(migrated);
  context.out.line(migratedText(migrated));
  return 0;
}

export function migratedText({ schema, from, to, applied }: Migrated): string {
  const names = applied.join(', ');
  if (applied.length === 0) return `the state store in schema "${schema}" is up to date (version ${to})`;
  if (from === 0) return `created the state store in schema "${schema}", version ${to} (${names})`;
  return `upgraded the state store in schema "${schema}" from version ${from} to ${to} (${names})`;
}
