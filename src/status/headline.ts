/** What is wrong, in one sentence. Pure. */

import { formatCount } from '../model/format.ts';
import type { Overview } from './overview.ts';

/** `title`: of the browser's tab. */
export function headline({ away, tables, loads, known }: Overview): {
  text: string;
  title: string;
  rank: 'failing' | 'late' | 'well';
} {
  const failing = tables.filter(({ rank }) => rank === 'failing').length;
  const failingLoads = loads.filter(({ rank }) => rank === 'failing').length;
  const late = tables.filter(({ rank }) => rank === 'late').length + loads.filter(({ rank }) => rank === 'late').length;
  const warned = tables.filter(({ rank }) => rank === 'warning').length;
  const dead = loads.reduce((sum, { counts }) => sum + (counts?.dead ?? 0), 0);
  const bad = [
    ...away.map(({ service }) => (service === 'tables' ? 'a mistake in the tables' : `${service} is away`)),
    ...(failing > 0 ? [`${counted(failing, 'table')} failing`] : []),
    ...(failingLoads > 0 ? [`${counted(failingLoads, 'load')} failing`] : []),
  ];
  const all = [
    ...bad,
    ...(late > 0 ? [`${formatCount(late)} late`] : []),
    ...(dead > 0 ? [counted(dead, 'dead drop')] : []),
    ...(warned > 0 ? [counted(warned, 'warning')] : []),
  ];
  if (all.length > 0) {
    const [first] = all.join(', ');
    const text = first.toUpperCase() + all.join(', ').slice(1);
    return { text, title: text, rank: bad.length > 0 ? 'failing' : 'late' };
  }
  if (!known) return { text: 'Starting', title: 'Starting', rank: 'well' };
  if (tables.length + loads.length === 0) return { text: 'Nothing exported yet', title: 'Nothing yet', rank: 'well' };
  return { text: 'All well', title: 'All well', rank: 'well' };
}

function counted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}
