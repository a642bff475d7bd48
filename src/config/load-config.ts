/**
 * Finds, reads and checks tidemark.yaml. Invariant: every complaint names line and column, and none repeats a value that
 * may be a secret.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { TidemarkError } from '../model/error.ts';
import type { Config } from './config.ts';
import { invalid, problemsOf, unset } from './problems.ts';
import { secretsOf } from './redact.ts';
import { configSchema } from './schema.ts';
import { substitute } from './substitute.ts';
import { contradictions, toConfig } from './to-config.ts';
import { mapText, type Path, readYaml } from './yaml-text.ts';

const PLACES = ['tidemark.yaml', 'config/tidemark.yaml'];

/** Where it is looked for, and what fills it in. `configFile`: of `--config`; undefined: the usual places are tried. */
type ConfigPlace = {
  configFile: string | undefined;
  cwd: string;
  env: Record<string, string | undefined>;
  secrets: string[];
};

/**
 * The configuration of `--config`, else of ./tidemark.yaml, else of ./config/tidemark.yaml. Passwords that it holds are
 * added to `secrets`. Throws CONFIG_NOT_FOUND, CONFIG_INVALID, ENV_MISSING.
 */
export async function loadConfig(context: ConfigPlace): Promise<Config> {
  const { file, text } = await findConfig(context);
  const shown = path.relative(context.cwd, file) || file;
  return parseConfig(text, { file, shown, env: context.env, secrets: context.secrets });
}

async function findConfig({
  configFile,
  cwd,
}: Pick<ConfigPlace, 'configFile' | 'cwd'>): Promise<{ file: string; text: string }> {
  for (const place of configFile === undefined ? PLACES : [configFile]) {
    const file = path.resolve(cwd, place);
    try {
      return { file, text: await readFile(file, 'utf8') };
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      throw new TidemarkError('CONFIG_INVALID', `${place} cannot be read (${code})`, { cause });
    }
  }
  const message =
    configFile === undefined ? `there is no ${PLACES.join(', and no ')} here` : `there is no ${configFile}`;
  throw new TidemarkError('CONFIG_NOT_FOUND', message, {
    hint: 'tidemark init writes one; --config FILE names one elsewhere',
  });
}

/** Checks a text that came from `file` (absolute); `shown` names it in errors. Throws CONFIG_INVALID, ENV_MISSING. */
export function parseConfig(
  text: string,
  options: { file: string; shown: string; env: Record<string, string | undefined>; secrets?: string[] },
): Config {
  const { file, shown, env, secrets = [] } = options;
  const yaml = readYaml(text);
  const at = (where: Path, what?: 'key' | 'value') => yaml.positionOf(where, what);
  if (yaml.errors.length > 0) throw invalid(shown, yaml.errors);

  const missing: { name: string; path: Path }[] = [];
  const malformed: Path[] = [];
  const filled = mapText(yaml.value, (value, where) => {
    const result = substitute(value, env);
    missing.push(...result.missing.map((name) => ({ name, path: where })));
    if (result.malformed) malformed.push(where);
    secrets.push(...secretsOf(result.text));
    return result.text;
  });
  if (malformed.length > 0) {
    const message = `a "$\{" without a name and "}" after it; write "$$\{" where it is meant as it stands`;
    throw invalid(
      shown,
      malformed.map((where) => ({ message, position: at(where) })),
    );
  }
  if (missing.length > 0)
    throw unset(
      missing.map(({ name, path }) => ({ name, position: at(path) })),
      shown,
    );

  const parsed = configSchema.safeParse(filled ?? {});
  if (!parsed.success) throw invalid(shown, problemsOf(parsed.error.issues, filled, at));
  if (parsed.data.status?.token) secrets.push(parsed.data.status.token);
  const contradicting = contradictions(parsed.data, file);
  if (contradicting.length > 0) {
    throw invalid(
      shown,
      contradicting.map((each) => ({ ...each, position: at(each.path) })),
    );
  }
  return toConfig(parsed.data, file);
}
