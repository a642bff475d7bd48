/** Finds, reads and checks tidemark.yaml. */

import type { CommandContext } from '../cli/context.ts';
import type { Config } from './config.ts';

/** Throws CONFIG_NOT_FOUND, CONFIG_INVALID, ENV_MISSING. */
export async function loadConfig(
  _context: Pick<CommandContext, 'configFile' | 'cwd' | 'env' | 'secrets'>,
): Promise<Config> {
  throw new Error('not there yet');
}
