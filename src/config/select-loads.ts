/** Which loads are meant. Pure. */

import type { LoadSettings } from '../load/settings.ts';
import { TidemarkError } from '../model/error.ts';
import { nearest } from './nearest.ts';

/** Those that are named, in the order of the configuration; all without a name. Throws LOAD_UNKNOWN. */
export function selectLoads(names: string[], loads: LoadSettings[]): LoadSettings[] {
  const known = loads.map(({ name }) => name);
  if (known.length === 0) {
    throw new TidemarkError('LOAD_UNKNOWN', 'the configuration has no loads', {
      hint: 'loads: lists them; config/example.yaml shows every key',
    });
  }
  for (const name of names) {
    if (known.includes(name)) continue;
    const [meant] = nearest(name, known);
    throw new TidemarkError('LOAD_UNKNOWN', `there is no load ${JSON.stringify(name)}`, {
      hint: meant ? `did you mean ${meant}?` : `there are ${known.join(', ')}`,
    });
  }
  return names.length === 0 ? loads : loads.filter(({ name }) => names.includes(name));
}
