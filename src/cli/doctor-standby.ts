/** doctor's look at a source that is a standby, and at its primary. Reads only. */

import type pg from 'pg';
import type { Config } from '../config/config.ts';
import { formatSeconds } from '../model/format.ts';
import { briefLook } from '../postgres/brief-look.ts';
import { systemOf } from '../postgres/history.ts';
import type { CommandContext } from './context.ts';
import type { Check } from './doctor-check.ts';
import { openTransactions, source } from './doctor-source.ts';

type Facts = {
  standby: boolean;
  paused: boolean;
  behind: number | null;
  delay: number;
  feedback: boolean;
  patience: string;
};

// Behind by time says something only while something is to be replayed.
const FACTS = `select pg_is_in_recovery() as standby,
  case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as paused,
  case when pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()
    then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 end as behind,
  (select setting::float8 / 1000 from pg_settings where name = 'recovery_min_apply_delay') as delay,
  current_setting('hot_standby_feedback')::bool as feedback, current_setting('max_standby_streaming_delay') as patience`;

/** Nothing where the source is no standby. */
export async function checkStandby(client: pg.Client, config: Config, context: CommandContext): Promise<Check[]> {
  const facts = (await client.query<Facts>(FACTS)).rows[0];
  if (!facts.standby) {
    if (config.source.primary === null) return [];
    return [source('standby', 'ok', 'it takes writes itself: source.primary is not asked')];
  }
  return [
    replay(facts),
    cancelled(facts),
    ...(await exactness(await systemOf(client, 'in a transaction'), config, context)),
  ];
}

function replay({ paused, behind, delay }: Facts): Check {
  if (paused) return source('replay', 'warn', 'paused: nothing new arrives here', 'SELECT pg_wal_replay_resume()');
  if (delay > 0)
    return source('replay', 'warn', `delayed by ${formatSeconds(delay)} on purpose`, 'recovery_min_apply_delay = 0');
  return source('replay', 'ok', behind === null ? 'up to date' : `${formatSeconds(behind)} behind`);
}

function cancelled({ feedback, patience }: Facts): Check {
  if (feedback || patience === '-1')
    return source('conflicts', 'ok', 'replay does not cancel long queries for vacuumed rows');
  return source(
    'conflicts',
    'warn',
    `replay cancels queries that stand in its way for ${patience}: a long export may end with STANDBY_CONFLICT`,
    'hot_standby_feedback = on, or a longer max_standby_streaming_delay, on the standby',
  );
}

/** Whether runs see what is open on the primary. */
async function exactness(system: string | null, config: Config, context: CommandContext): Promise<Check[]> {
  const { primary } = config.source;
  if (primary === null) {
    return [
      source(
        'standby',
        'warn',
        "it does not show the primary's open transactions, so a run looks back by `late`: only `cursor: none` is exact",
        "source.primary: the primary's URL; or export from the primary",
      ),
    ];
  }
  const look = async (client: pg.Client): Promise<Check[]> => {
    const there = (await client.query<Facts>(FACTS)).rows[0];
    if (there.standby)
      return [
        source('standby', 'fail', 'source.primary is a standby, too', 'source.primary: the server that takes writes'),
      ];
    const other = await systemOf(client, 'in a transaction');
    if (system !== null && other !== null && other !== system)
      return [source('standby', 'fail', 'source.primary is another system', 'correct source.primary')];
    const { rows } = await client.query<{ stats: boolean }>(
      "select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as stats",
    );
    const blind = 'its primary hides the activity of other roles: a run looks back by `late`';
    return [
      rows[0].stats
        ? source(
            'standby',
            'ok',
            "runs see its primary's open transactions, and wait until it has replayed what was committed",
          )
        : source('standby', 'warn', blind, 'GRANT pg_read_all_stats, on the primary'),
      ...(await openTransactions(client)),
    ];
  };
  return briefLook({ role: 'source', ...config.source, url: primary, env: context.env }, look, context.signal);
}
