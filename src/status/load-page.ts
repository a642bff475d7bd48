/** A load's own page: its ledger, dead drops and rejects. Pure. */

import type { LoadSettings } from '../load/settings.ts';
import { formatBytes, formatCount } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import { actions, type Doing, said } from './actions.ts';
import { document } from './document.ts';
import { type Part as Content, type Html, html } from './html.ts';
import type { DeadDrop, LedgerPage, Reject } from './ledger-look.ts';
import type { LoadLine } from './overview.ts';
import { rankHtml } from './overview-page.ts';
import { ago, failingBox, none, runningText, until } from './show.ts';
import { quiet, shownPart, table } from './show-part.ts';
import type { Part } from './table-details.ts';
import { topBar } from './top-bar.ts';

export type LoadPage = {
  line: LoadLine;
  load: LoadSettings;
  ledger: Part<LedgerPage>;
  doing: Doing;
  signedIn: boolean;
  now: number;
};

export function loadPage({ line, load, ledger, doing, signedIn, now }: LoadPage): Html {
  const path = `/loads/${encodeURIComponent(load.name)}`;
  const failing = line.failing.length > 0;
  return document(
    { title: load.name, scripts: ['live.js'] },
    html`${topBar({ live: `/live?load=${encodeURIComponent(load.name)}`, signedIn, now })}
<main class="own">
<div>
<div data-part="head" class="head ${line.rank}">
<p class="crumb"><a href="/#loads">All loads</a></p>
<h1>${load.name}${rankHtml(line.rank)}</h1>
${line.running.map((each) => runningText(each, now))}
<p class="quiet"><code>${load.from}</code> into <code>${displayName(load.into)}</code></p>
${line.failing.map((each) => failingBox(each, now))}
${actions(doing, [
  { action: `${path}/load`, label: failing ? 'Retry load' : 'Load now' },
  { action: `${path}/replay`, label: 'Replay rejects and dead drops' },
])}
</div>
${said(doing)}
</div>
${shownPart(ledger, (known) => ledgerHtml(known, line, now))}
</main>`,
  );
}

function ledgerHtml({ totals, dead, rejects }: LedgerPage, line: LoadLine, now: number): Html {
  const { sums } = totals;
  const fact = (name: string, value: Content) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const counted = (name: string, count: number | undefined) =>
    fact(name, count === undefined ? none : formatCount(count));
  return html`<dl class="numbers" data-part="numbers">
${fact('Next load', until(line.nextAt, now))}
${counted('Drops done', sums?.loaded)}
${counted('Drops dead', totals.dead)}
${counted('Drops under way', sums?.claimed)}
${counted('Drops gone', sums?.gone)}
${counted('Rejects that wait', totals.rejects)}
${counted('Rows read', sums?.rowsIn)}
${counted('Rows loaded', sums?.rowsOut)}
${counted('Of them known', sums?.rowsKnown)}
${counted('Rows filtered', sums?.rowsFiltered)}
</dl>
<section id="dead" aria-labelledby="dead-h" data-part="dead">
<h2 id="dead-h">Dead drops</h2>
${deadTable(dead, totals.dead, now)}
</section>
<section id="rejects" aria-labelledby="rejects-h" data-part="rejects">
<h2 id="rejects-h">Rejects</h2>
${rejectsTable(rejects, totals.rejects, now)}
</section>`;
}

function deadTable(dead: DeadDrop[], all: number, now: number): Html {
  if (dead.length === 0) return quiet('None.');
  const rows = dead.map(
    ({ key, error, bytes, attempt, at }) =>
      html`<tr><td class="key">${key}</td><td class="t">${error}</td><td class="n">${formatBytes(bytes)}</td><td class="n">${attempt}</td><td class="n">${ago(at, now)}</td></tr>`,
  );
  return html`${table([['Drop'], ['Why'], ['Size', 'n'], ['Attempts', 'n'], ['Since', 'n']], rows)}${rest(all, dead.length)}`;
}

function rejectsTable(rejects: Reject[], all: number, now: number): Html {
  if (rejects.length === 0) return quiet('None.');
  const head: [string, string?][] = [
    ['Drop'],
    ['Line', 'n'],
    ['Column'],
    ['Why'],
    ['Text'],
    ['Attempts', 'n'],
    ['Since', 'n'],
  ];
  const rows = rejects.map(
    ({ key, line, column, reason, text, cut, attempt, at }) =>
      html`<tr><td class="key">${key}</td><td class="n">${line}</td><td>${column ?? none}</td><td class="t">${reason}</td><td class="v">${text}${cut && ' …'}</td><td class="n">${attempt}</td><td class="n">${ago(at, now)}</td></tr>`,
  );
  return html`${table(head, rows)}${rest(all, rejects.length)}`;
}

function rest(all: number, shown: number): Html | false {
  return (
    all > shown && html`<p class="quiet">${formatCount(shown)} of ${formatCount(all)}; the ledger has them all.</p>`
  );
}
