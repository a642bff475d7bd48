/** What is said of a table that failed. Invariant: who lost its lease says so, whatever it met first. */

import { TidemarkError } from '../model/error.ts';
import { type Lease, leaseLost } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';

/** The error, or LEASE_LOST where that is behind it: a new holder removes the files and uploads that the old one is at. */
export async function whyFailed(
  state: Pick<StateStore, 'holds'>,
  lease: Lease,
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof TidemarkError) || !/^(LAKE|UPLOAD)_/.test(error.code)) return error;
  // Of an upload that was cut off by it.
  if (signal.reason instanceof TidemarkError) return signal.reason;
  // Where the state store cannot tell, the lake's own words are all there is.
  return (await state.holds(lease).catch(() => true)) ? error : leaseLost(lease);
}
