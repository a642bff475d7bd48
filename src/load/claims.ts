/** Which drops a load takes: new ones among those that are listed, or dead ones again. A page at a time. */

import type { Drop } from './drop.ts';
import type { LoadWork } from './load-drops.ts';
import { ahead, pages } from './pages.ts';
import type { Claimed } from './target/outcome.ts';
import type { Target } from './target/target.ts';

/** Several processes share a load by such pages, each claimed in one statement. */
const PAGE = 500;
/** Pages that are listed ahead, so that there is a total to show. */
const PAGES_AHEAD = 40;

/** Of the drops that are listed those that are ours to load. */
export async function* claimListed(
  target: Target,
  drops: AsyncIterable<Drop>,
  { totals, progress }: Pick<LoadWork, 'totals' | 'progress'>,
  signal: AbortSignal,
): AsyncIterable<Claimed[]> {
  for await (const page of ahead(pages(drops, PAGE), PAGES_AHEAD, (came) => progress.listed(came?.length ?? null))) {
    totals.listed += page.length;
    const ours = await target.claim(page, signal);
    totals.known += page.length - ours.length;
    progress.done(page.length - ours.length, totals);
    if (ours.length > 0) yield ours;
  }
}

/** Drops that are dead. */
export async function* claimDead(
  target: Target,
  { totals, progress }: Pick<LoadWork, 'totals' | 'progress'>,
  signal: AbortSignal,
): AsyncIterable<Claimed[]> {
  for (;;) {
    const dead = await target.claimDead(PAGE, signal);
    if (dead.length === 0) return progress.listed(null);
    totals.listed += dead.length;
    progress.listed(dead.length);
    yield dead;
  }
}
