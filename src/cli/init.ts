/** `tidemark init`: looks at the database and writes a commented tidemark.yaml. Invariant: no password in it, nothing overwritten. */

import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { redact, secretsOf } from '../config/redact.ts';
import { parseLakeUrl } from '../lake/url.ts';
import { TidemarkError } from '../model/error.ts';
import { formatCount } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import { briefLook } from '../postgres/brief-look.ts';
import { requireVersion } from '../postgres/connect.ts';
import { listTables } from '../postgres/tables.ts';
import type { CommandContext } from './context.ts';
import { configText, cursorOf, type Found, sortTables } from './init-text.ts';

export type InitOptions = { source?: string; lake: string };

/** Exit code 0. Throws CONFIG_EXISTS, USAGE, CONFIG_INVALID and what connecting throws. */
export async function runInit(options: InitOptions, context: CommandContext): Promise<number> {
  const file = path.resolve(context.cwd, context.configFile ?? 'tidemark.yaml');
  const places = context.configFile === undefined ? [file, path.resolve(context.cwd, 'config/tidemark.yaml')] : [file];
  for (const place of places) {
    if (await exists(place)) throw taken(path.relative(context.cwd, place));
  }
  parseLakeUrl(options.lake, context.cwd);
  const url = options.source ?? context.env.DATABASE_URL;
  if (!url) {
    throw new TidemarkError('USAGE', 'which database?', {
      hint: '--source postgres://user:password@host/database, or export DATABASE_URL',
    });
  }
  context.secrets.push(...secretsOf(url));
  const found = await lookAt(url, options.lake, context);
  await write(file, configText(found), context);
  report(found, file, options, context);
  return 0;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function taken(shown: string): TidemarkError {
  return new TidemarkError('CONFIG_EXISTS', `there is a ${shown} already`, {
    hint: 'init never overwrites: move it away, or write another one with --config FILE',
  });
}

async function lookAt(url: string, lake: string, context: CommandContext): Promise<Found> {
  const look = async (client: pg.Client): Promise<Found> => {
    const version = await requireVersion(client);
    const { rows } = await client.query<{ database: string; role: string; standby: boolean }>(
      'select current_database() as database, current_user as role, pg_is_in_recovery() as standby',
    );
    return { ...rows[0], version: version.text, lake, tables: await listTables(client, 'tidemark') };
  };
  return briefLook({ role: 'source', url, env: context.env }, look, context.signal);
}

async function write(file: string, text: string, context: CommandContext): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const shown = path.relative(context.cwd, file);
    if (code === 'EEXIST') throw taken(shown);
    throw new TidemarkError('USAGE', `${shown} cannot be written (${code})`, {
      cause,
      hint: '--config FILE names another place',
    });
  }
}

function report(found: Found, file: string, { source }: InitOptions, context: CommandContext): void {
  const { out } = context;
  const { withCursor, withoutCursor, closed } = sortTables(found.tables);
  const shown = path.relative(context.cwd, file);
  out.json({
    file,
    tables: found.tables.map((table) => ({
      table: displayName(table.name),
      cursor: cursorOf(table)?.name ?? null,
      indexed: cursorOf(table)?.indexed ?? null,
      key: table.primaryKey,
      estimated_rows: table.estimatedRows === null ? null : Math.round(table.estimatedRows),
      readable: !closed.includes(table),
    })),
  });
  const unindexed = withCursor.filter((table) => !cursorOf(table)!.indexed).length;
  const keyless = [...withCursor, ...withoutCursor].filter(({ primaryKey }) => primaryKey.length === 0).length;
  const line = (count: number, text: string) => count > 0 && out.line(`${formatCount(count).padStart(6)}  ${text}`);
  out.line(
    `wrote ${shown} for ${found.database} (Postgres ${found.version}): ${formatCount(found.tables.length)} tables`,
  );
  line(withCursor.length, 'have updated_at');
  line(unindexed, 'of them without an index on it: the file has the CREATE INDEX');
  line(withoutCursor.length, 'have none: each run scans them');
  line(keyless, 'have no primary key');
  line(closed.length, `may not be read by ${found.role}: left out, the file has the GRANT`);
  out.line();
  out.line('next:');
  if (source !== undefined && source !== context.env.DATABASE_URL) {
    out.line(
      `  export DATABASE_URL='${redact(source, context.secrets)}'    # with the password; the file refers to it`,
    );
  }
  if (found.standby)
    out.line('  export TIDEMARK_STATE_URL=…    # a database that takes writes: the source is a standby');
  const config = context.configFile === undefined ? '' : ` --config ${context.configFile}`;
  out.line(`  tidemark doctor${config}`);
  out.line(`  tidemark export --all${config}`);
}
