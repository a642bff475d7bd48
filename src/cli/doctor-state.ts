/** doctor's look at the state store: is it there, and if not, could it be made; and at what it knows of staged tables. Reads only. */

import type pg from 'pg';
import type { Config } from '../config/config.ts';
import { TidemarkError } from '../model/error.ts';
import { quoteName } from '../model/table.ts';
import { briefLook } from '../postgres/brief-look.ts';
import { openState } from '../state/open-state.ts';
import type { CommandContext } from './context.ts';
import { type Check, failed } from './doctor-check.ts';
import { checkStaged } from './doctor-staged.ts';

type Rights = { user: string; database: string; there: boolean; may: boolean; standby: boolean };

const RIGHTS = `select current_user as user, current_database() as database, n.oid is not null as there,
    case when n.oid is null then has_database_privilege(current_database(), 'create')
      else has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage') end as may,
    pg_is_in_recovery() as standby
  from (select) one left join pg_namespace n on n.nspname = $1`;

export async function checkState({ state }: Config, context: CommandContext): Promise<Check[]> {
  const { schema } = state;
  const at = { ...state, env: context.env };
  const where = `in schema "${schema}"${state.isSource ? ' of the source' : ''}`;
  try {
    await using store = await openState({ ...at, maxConnections: 1, migrate: 'never' }, context.log, context.signal);
    const ok: Check = { group: 'state', check: 'state store', state: 'ok', found: `${where}, up to date` };
    return [ok, ...checkStaged(await store.status(), Date.now())];
  } catch (error) {
    const missing = error instanceof TidemarkError && error.code === 'STATE_NOT_MIGRATED';
    if (!missing) return [failed('state', 'state store', error)];
  }
  const rights = async (client: pg.Client) => (await client.query<Rights>(RIGHTS, [schema])).rows[0];
  return [missingState(await briefLook({ role: 'state', ...at }, rights, context.signal), schema, where)];
}

/** There is none, or an old one. */
function missingState({ user, database, there, may, standby }: Rights, schema: string, where: string): Check {
  const found = (state: Check['state'], text: string, remedy?: string): Check => ({
    group: 'state',
    check: 'state store',
    state,
    found: text,
    remedy,
  });
  const none = `none of this version ${where}`;
  if (standby)
    return found('fail', `${none}, and a standby takes no writes`, 'state.url: a database that takes writes');
  if (may) return found('ok', `${none} yet: the first export makes it, or tidemark migrate`);
  const [at, role] = [quoteName(schema), quoteName(user)];
  const grant = there
    ? `GRANT USAGE, CREATE ON SCHEMA ${at} TO ${role}`
    : `CREATE SCHEMA ${at} AUTHORIZATION ${role}, or GRANT CREATE ON DATABASE ${quoteName(database)} TO ${role}`;
  return found('fail', `${none}, and ${user} may not make it`, grant);
}
