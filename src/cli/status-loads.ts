/** What is wrong with the loads, for `status --check`. Invariant: nobody waits long for a target that is away. */

import type { LoadSettings } from '../load/settings.ts';
import { toTidemarkError } from '../model/error.ts';
import { formatCount, toSecond } from '../model/format.ts';
import { type Env, type LoadStanding, readStanding } from '../status/ledger-look.ts';
import { errorLine, type Problem } from './status-check.ts';

/** Targets that are asked at once. */
const AT_ONCE = 4;

/** In the order of `loads`. A target that does not answer within some seconds is a problem. Throws the signal's reason alone. */
export async function loadProblems(loads: readonly LoadSettings[], env: Env, signal: AbortSignal): Promise<Problem[]> {
  const found: Problem[][] = loads.map(() => []);
  const left = [...loads.keys()];
  const ask = async () => {
    for (let i = left.shift(); i !== undefined; i = left.shift()) found[i] = await ofOne(loads[i], env, signal);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return found.flat();
}

async function ofOne(load: LoadSettings, env: Env, signal: AbortSignal): Promise<Problem[]> {
  try {
    return standingProblems(load.name, await readStanding(load, env, signal));
  } catch (error) {
    signal.throwIfAborted();
    const { code, message, hint } = toTidemarkError(error);
    const remedy = hint ?? 'tidemark doctor';
    return [{ table: null, load: load.name, problem: 'target', message: errorLine({ code, message }), remedy }];
  }
}

/** Pure. */
function standingProblems(load: string, { dead, firstDead, failure }: LoadStanding): Problem[] {
  const about = { table: null, load };
  const found: Problem[] = [];
  if (failure !== null) {
    const message = `${errorLine(failure)}, at ${toSecond(new Date(failure.at).toISOString())}`;
    found.push({ ...about, problem: 'failing', message, remedy: failure.hint ?? `tidemark load ${load}` });
  }
  if (dead > 0) {
    const count = dead === 1 ? '1 drop cannot be read' : `${formatCount(dead)} drops cannot be read`;
    const first = firstDead === null ? '' : `${dead === 1 ? ': ' : ', one of them: '}${firstDead.key}`;
    const why = firstDead?.error == null ? '' : ` (${firstDead.error.replaceAll(/\s*\n\s*/g, ' ')})`;
    const message = `${count}${first}${why}`;
    found.push({ ...about, problem: 'dead_drops', message, remedy: `tidemark load ${load} --replay` });
  }
  return found;
}
