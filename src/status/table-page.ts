/** A table's own page. What is marked `data-part` is replaced while somebody looks. Pure. */

import { formatBytes, formatCount, toSecond } from '../cli/format.ts';
import type { Ended } from '../daemon/board.ts';
import type { TidemarkError } from '../model/error.ts';
import type { LakeType } from '../model/lake-type.ts';
import type { WrittenColumn } from '../model/run.ts';
import type { TableRun } from '../state/table-runs.ts';
import type { TableStatus } from '../state/tables.ts';
import { actions, type Doing, said } from './actions.ts';
import { document } from './document.ts';
import { type Part as Content, type Html, html } from './html.ts';
import type { TableLine } from './overview.ts';
import { notes, rankHtml } from './overview-page.ts';
import type { Sample } from './sample.ts';
import { ago, failingBox, none, number, rowsText, took, until } from './show.ts';
import type { Part, TableDetails, Version } from './table-details.ts';
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
${actions(page.doing, [
  { action: `${path}/export`, label: fails(line, 'export') ? 'Retry export' : 'Export now' },
  { action: `${path}/compact`, label: fails(line, 'compact') ? 'Retry compaction' : 'Compact now' },
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
  const { staged, raw, mark } = status;
  const fact = (name: string, value: Content) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const at = (instant: string | null | undefined) => (instant == null ? none : toSecond(instant));
  return html`<dl class="numbers" data-part="numbers">
${fact('Lag', ago(line.seenAt, now))}
${fact('Next export', until(line.nextAt, now))}
${fact('Next compaction', until(line.nextCompactAt, now))}
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
${fact('Folder', html`<code>${status.folder}</code>`)}
</dl>`;
}

function stored(rows: bigint, files: bigint, bytes: bigint): string {
  return `${rowsText(rows)}, ${formatCount(files)} ${files === 1n ? 'file' : 'files'}, ${formatBytes(Number(bytes))}`;
}

function table(head: [string, string?][], rows: Html[]): Html {
  const titles = head.map(([name, kind]) => html`<th scope="col"${kind && html` class="${kind}"`}>${name}</th>`);
  return html`<div class="wide" tabindex="0"><table><thead><tr>${titles}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** The part, or why it cannot be shown. */
export function shownPart<T>(part: Part<T>, show: (value: T) => Html): Html {
  return 'error' in part ? errorLine(part.error) : show(part.value);
}

function errorLine({ code, message, hint }: TidemarkError): Html {
  return html`<p class="quiet">Cannot be shown: <code class="code">${code}</code> ${message}</p>${hint && html`<p class="hint">${hint}</p>`}`;
}

const quiet = (text: string) => html`<p class="quiet">${text}</p>`;

function runsTable(runs: Part<TableRun[]>, ended: readonly Ended[], now: number): Html {
  return shownPart(runs, (known) => {
    const own = ended.filter(({ kind, outcome }) => kind === 'compact' && outcome === 'done');
    const lines = [
      ...known.map((run) => ({ at: Date.parse(run.finishedAt ?? run.startedAt), line: runLine(run, now) })),
      ...own.map((run) => ({ at: run.at, line: compactionLine(run, now) })),
    ];
    if (lines.length === 0) return quiet('None yet.');
    const head: [string, string?][] = [
      ['Run', 'n'],
      ['What'],
      ['Ended', 'n'],
      ['Took', 'n'],
      ['Rows', 'n'],
      ['Late', 'n'],
      ['Files', 'n'],
      ['Size', 'n'],
      ['Outcome'],
    ];
    const sorted = lines.sort((a, b) => b.at - a.at);
    return table(
      head,
      sorted.map(({ line }) => line),
    );
  });
}

function runLine(run: TableRun, now: number): Html {
  const [start, end] = [Date.parse(run.startedAt), run.finishedAt === null ? null : Date.parse(run.finishedAt)];
  const outcome = run.state === 'committed' ? 'done' : run.state;
  return html`<tr class="${run.error === null ? outcome : 'failed'}"><td class="n">${run.run}</td><td>${run.kind}${run.full && ', full'}</td><td class="n">${ago(end, now)}</td><td class="n">${
    end === null || run.state !== 'committed' ? none : took(end - start)
  }</td><td class="n">${number(run.rows)}</td><td class="n">${number(run.lateRows)}</td><td class="n">${number(run.files)}</td><td class="n">${
    run.bytes === null ? none : formatBytes(Number(run.bytes))
  }</td><td class="t"><span class="outcome">${outcome}</span>${
    run.error !== null && html` <code class="code">${run.error.code}</code> ${run.error.message}`
  }</td></tr>`;
}

function compactionLine({ run, kind, at, seconds, rows, bytes }: Ended, now: number): Html {
  return html`<tr class="done"><td class="n">${run ?? none}</td><td>${kind}</td><td class="n">${ago(at, now)}</td><td class="n">${took(seconds * 1000)}</td><td class="n">${number(rows)}</td><td class="n">${none}</td><td class="n">${none}</td><td class="n">${formatBytes(bytes)}</td><td><span class="outcome">done</span></td></tr>`;
}

function versionsTable(versions: Part<Version[]>, now: number): Html {
  return shownPart(versions, (known) => {
    if (known.length === 0) return quiet('None yet: the first compaction makes one.');
    const head: [string, string?][] = [
      ['Version', 'n'],
      ['Made', 'n'],
      ['Inserted', 'n'],
      ['Updated', 'n'],
      ['Deleted', 'n'],
      ['Files', 'n'],
      ['Operation'],
      ['By'],
    ];
    const rows = known.map(
      (each) =>
        html`<tr><td class="n">${each.version}</td><td class="n">${ago(each.at, now)}</td><td class="n">${number(each.inserted)}</td><td class="n">${number(each.updated)}</td><td class="n">${number(each.deleted)}</td><td class="n">+${each.filesAdded} −${each.filesRemoved}</td><td>${each.operation}</td><td class="quiet">${each.by}</td></tr>`,
    );
    return table(head, rows);
  });
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

function filesTable(files: TableDetails['files']): Html {
  return shownPart(files, (known) => {
    if (known.length === 0) return quiet('None yet.');
    const rows = known.map(
      ({ run, key, rows, bytes }) =>
        html`<tr><td class="n">${run}</td><td class="n">${number(rows)}</td><td class="n">${formatBytes(Number(bytes))}</td><td class="key">${key}</td></tr>`,
    );
    return table([['Run', 'n'], ['Rows', 'n'], ['Size', 'n'], ['File']], rows);
  });
}

function columnsTable(columns: Part<WrittenColumn[]>, { unfit }: TableStatus): Html {
  return shownPart(columns, (known) => {
    if (known.length === 0) return quiet('Not known yet.');
    const unfitOf = ({ source, name }: WrittenColumn) => unfit[name] ?? unfit[source] ?? {};
    const renamed = known.some(({ source, name }) => source !== name);
    const lossy = known.some((column) => Object.keys(unfitOf(column)).length > 0);
    const rows = known.map((column) => {
      const { source, name, type, key } = column;
      const { null: asNull = 0, text = 0 } = unfitOf(column);
      const said = [
        asNull > 0 && `${formatCount(asNull)} written as NULL`,
        text > 0 && `${formatCount(text)} kept as text`,
      ];
      return html`<tr><td>${name}</td><td>${typeText(type)}${key !== undefined && ', key'}</td>${
        renamed && html`<td>${source !== name && source}</td>`
      }${lossy && html`<td class="bad">${said.filter(Boolean).join(', ')}</td>`}</tr>`;
    });
    const head: [string][] = [['Column'], ['Type in the lake']];
    if (renamed) head.push(['In the source']);
    if (lossy) head.push(['Values without a place']);
    return table(head, rows);
  });
}

function typeText(type: LakeType): string {
  switch (type.kind) {
    case 'array':
      return `${typeText(type.element)}[]`;
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`;
    case 'timestamp':
      return type.utc ? 'timestamp, UTC' : 'timestamp without zone';
    default:
      return type.kind;
  }
}
