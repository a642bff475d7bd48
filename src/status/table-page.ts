/** A table's own page. What is marked `data-part` is replaced while somebody looks. Pure. */

import type { Ended } from '../daemon/board.ts';
import { formatBytes, formatCount, toSecond } from '../model/format.ts';
import type { TableStatus } from '../state/tables.ts';
import { actions, type Doing, said } from './actions.ts';
import { document } from './document.ts';
import { type Part as Content, type Html, html } from './html.ts';
import type { TableLine } from './overview.ts';
import { notes, rankHtml } from './overview-page.ts';
import type { Sample } from './sample.ts';
import { ago, failingBox, none, number, rowsText, until } from './show.ts';
import { quiet, shownPart, table } from './show-part.ts';
import type { Part, TableDetails } from './table-details.ts';
import { columnsTable, filesTable, runsTable, versionsTable } from './table-parts.ts';
import { topBar } from './top-bar.ts';

export type TablePage = {
  line: TableLine;
  status: TableStatus;
  details: TableDetails;
  /** Of the board: compactions that succeeded stand nowhere else. */
  ended: readonly Ended[];
  /** Null: nobody has asked for it. */
  sample: Part<Sample | null> | null;
  doing: Doing;
  signedIn: boolean;
  now: number;
};

export function tablePage(page: TablePage): Html {
  const { line, status, details, now } = page;
  const path = `/tables/${status.folder}`;
  return document(
    { title: line.name, scripts: ['live.js'] },
    html`${topBar({ live: `/live?table=${status.folder}`, signedIn: page.signedIn, now })}
<main class="own">
<div>
<div data-part="head" class="head ${line.rank}">
<p class="crumb"><a href="/">All tables</a></p>
<h1>${line.name}${rankHtml(line.rank)}</h1>
${notes(line, now)}
${line.failing.map((each) => failingBox(each, now))}
${whyNothing(page.ended, now)}
${actions(page.doing, [
  { action: `${path}/export`, label: fails(line, 'export') ? 'Retry export' : 'Export now' },
  { action: `${path}/compact`, label: fails(line, 'compact') ? 'Retry compaction' : 'Compact now' },
  { action: `${path}/reconcile`, label: fails(line, 'reconcile') ? 'Retry reconciliation' : 'Reconcile now' },
])}
</div>
${said(page.doing)}
</div>
${numbers(page)}
${section('runs', 'Runs', html`${runsTable(details.runs, page.ended, now)}`)}
${section('versions', 'Versions of the staged table', versionsTable(details.versions, now))}
${section('sample', 'A sample of the staged rows', sampleHtml(page, path), false)}
${section('files', 'Newest raw files', filesTable(details.files))}
${section('columns', 'Columns', columnsTable(details.columns, status))}
</main>`,
  );
}

/** Who asked for a reconciliation that cannot be done is told. */
function whyNothing(ended: readonly Ended[], now: number): Html {
  const last = ended.find(({ kind }) => kind === 'reconcile');
  return html`${last?.reason !== undefined && html`<p class="quiet">Not reconciled, ${ago(last.at, now)} ago: ${last.reason}</p>`}`;
}

function fails({ failing }: TableLine, kind: string): boolean {
  return failing.some((each) => each.kind === kind);
}

function section(id: string, title: string, content: Content, live = true): Html {
  return html`<section id="${id}" aria-labelledby="${id}-h"${live && html` data-part="${id}"`}>
<h2 id="${id}-h">${title}</h2>
${content}
</section>`;
}

function numbers({ line, status, now }: TablePage): Html {
  const { staged, raw, mark, reconciled } = status;
  const fact = (name: string, value: Content) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const at = (instant: string | null | undefined) => (instant == null ? none : toSecond(instant));
  return html`<dl class="numbers" data-part="numbers">
${fact('Lag', ago(line.seenAt, now))}
${fact('Next export', until(line.nextAt, now))}
${fact('Next compaction', until(line.nextCompactAt, now))}
${fact('Next reconciliation', until(line.nextReconcileAt, now))}
${fact('Watermark', mark?.watermark ?? none)}
${fact('Floor', at(mark?.floor))}
${fact('Raw', stored(raw.rows, raw.files, raw.bytes))}
${fact('Staged version', staged?.version == null ? none : String(staged.version))}
${fact('Staged', staged?.rows == null ? none : stored(staged.rows, staged.files ?? 0n, staged.bytes ?? 0n))}
${fact('Staged as of', at(staged?.asOf))}
${fact(
  'Waiting for compaction',
  staged === null || staged.waiting.since === null
    ? none
    : html`${rowsText(staged.waiting.rows)} for ${ago(Date.parse(staged.waiting.since), now)}`,
)}
${fact('Last reconciliation', ago(reconciled && Date.parse(reconciled.at), now))}
${fact('Deleted rows found', number(reconciled?.deleted ?? null))}
${fact('Folder', html`<code>${status.folder}</code>`)}
</dl>`;
}

function stored(rows: bigint, files: bigint, bytes: bigint): string {
  return `${rowsText(rows)}, ${formatCount(files)} ${files === 1n ? 'file' : 'files'}, ${formatBytes(Number(bytes))}`;
}

function sampleHtml({ sample, status }: TablePage, path: string): Html {
  if (status.staged?.version == null) return quiet('Nothing is staged yet.');
  if (sample === null) return html`<p><a href="${path}?sample=1#sample" rel="nofollow">Show 20 rows</a></p>`;
  return shownPart(sample, (known) => {
    if (known === null || known.rows.length === 0) return quiet('It has no rows.');
    const rows = known.rows.map(
      (row) =>
        html`<tr>${row.map((value) => html`<td class="v">${value ?? html`<span class="none">null</span>`}</td>`)}</tr>`,
    );
    return html`${table(
      known.columns.map((name) => [name]),
      rows,
    )}<p class="quiet">Version ${known.version}; any ${known.rows.length} rows, long values cut${known.more > 0 && `, ${known.more} columns left out`}.</p>`;
  });
}
