/** The first page. Every part that changes while somebody looks has an id, and is replaced as a whole. Pure. */

import type { Ended } from '../daemon/board.ts';
import { formatCount, toSecond } from '../model/format.ts';
import { document } from './document.ts';
import { headline } from './headline.ts';
import { type Html, html, type Part } from './html.ts';
import type { LoadLine, Overview, Rank, TableLine } from './overview.ts';
import { ago, errorText, failingBox, none, number, RANK_WORDS, rowsText, runningText, took, until } from './show.ts';
import { topBar } from './top-bar.ts';

const COLUMNS = ['Table', 'Lag', 'Last run', 'Rows', 'Late', 'Watermark', 'Staged', 'Waiting', 'Next run'];

/** `seq`: of the overview, for the live updates that follow. `filter`: what is typed into the box. */
export function overviewPage(
  overview: Overview,
  { seq, filter, signedIn, now }: { seq: number; filter: string; signedIn: boolean; now: number },
): Html {
  const shown = overview.tables.filter((line) => findText(line).includes(filter.toLowerCase()));
  const { title } = headline(overview);
  return document(
    { title, scripts: ['uPlot.iife.min.js', 'charts.js', 'live.js'], styles: ['uPlot.min.css'] },
    html`${topBar({
      live: `/live?seq=${seq}`,
      signedIn,
      now,
      parts: html`<a href="#tables">Tables</a> <a href="#loads">Loads</a> <a href="#runs">Runs</a>`,
    })}
<main class="overview">
${headHtml(overview, now)}
<section id="tables" aria-labelledby="tables-h">
<div class="bar"><h2 id="tables-h">Tables</h2>
<form method="get" action="/" role="search"><label for="q" class="away">Filter tables</label><input id="q" name="q" type="search" placeholder="filter: a name, failing, late …" value="${filter}" autocomplete="off"></form></div>
<table class="lines" id="table-lines" role="table">
<thead role="rowgroup"><tr role="row">${COLUMNS.map((name, i) => html`<th role="columnheader" scope="col"${i > 0 && i !== 5 && html` class="n"`}>${name}</th>`)}</tr></thead>
${shown.map((line) => tableHtml(line, now))}
</table>
<p id="no-tables" class="quiet"${shown.length > 0 && html` hidden`}>${nothingText(overview, filter)}</p>
</section>
<div class="side">
<section id="charts" aria-label="The last 24 hours">
<div><h2>Lag, the last day</h2>
<div id="chart-lag" class="chart" role="img" aria-label="The greatest lag of all tables over the last day"></div>
<p id="lag-since" class="quiet" hidden></p></div>
<div><h2>Rows a minute</h2>
<div id="chart-rows" class="chart" role="img" aria-label="Rows exported in each minute of the last day"></div></div>
</section>
<section id="loads" aria-labelledby="loads-h">
<h2 id="loads-h">Loads</h2>
${loadsHtml(overview, now)}
</section>
<section id="runs" aria-labelledby="runs-h">
<h2 id="runs-h">Runs</h2>
${runsHtml(overview, now)}
</section>
</div>
</main>`,
  );
}

/** What is wrong, at a glance. */
export function headHtml(overview: Overview, now: number): Html {
  const { text, rank } = headline(overview);
  const lags = overview.tables.flatMap(({ seenAt }) => (seenAt === null ? [] : [seenAt]));
  const oldest = lags.length === 0 ? null : Math.min(...lags);
  const running = [...overview.tables, ...overview.loads].reduce((sum, each) => sum + each.running.length, 0);
  return html`<section id="head" class="head ${rank}">
<h1>${text}</h1>
<p class="facts">${formatCount(overview.tables.length)} ${overview.tables.length === 1 ? 'table' : 'tables'}${
    oldest !== null && html` <span>greatest lag ${ago(oldest, now)}</span>`
  } <span>${running} running</span> <span>up ${ago(overview.startedAt, now)}</span></p>
${overview.away.map(
  ({ service, since, error }) =>
    html`<div class="trouble"><p><strong>${service}</strong>${service === 'tables' ? ': wrong' : ' cannot be reached'} for ${ago(since, now)}</p>${errorText(error)}</div>`,
)}
</section>`;
}

/** The element's id: folders are unique, names of tables without one too. */
export function idOf({ folder, name }: TableLine): string {
  return folder === null ? `n-${name}` : `t-${folder}`;
}

/** What the filter looks at. */
function findText({ name, rank }: TableLine): string {
  return `${name} ${RANK_WORDS[rank]}`.toLowerCase();
}

/** A group of rows, so that what is wrong can stand below as wide as the table. */
export function tableHtml(line: TableLine, now: number): Html {
  const { name, folder, rank, lastRun, staged, watermark } = line;
  const cell = (label: string, value: Part, kind = 'n') =>
    html`<td role="cell" class="${kind}${value === none && ' e'}" data-label="${label}">${value}</td>`;
  const waiting = staged?.waitingSince != null && formatCount(staged.waitingRows);
  return html`<tbody role="rowgroup" id="${idOf(line)}" class="${rank}" data-find="${findText(line)}" data-news="${rank} ${lastRun?.run}"><tr role="row"><th role="rowheader" scope="row"><span class="name">${
    folder === null ? name : html`<a href="/tables/${folder}">${name}</a>`
  }</span>${rankHtml(rank)}${notes(line, now)}</th>${[
    cell('lag', ago(line.seenAt, now), 'n lag'),
    cell('last run', ago(lastRun?.at ?? null, now)),
    cell('rows', number(lastRun?.rows ?? null)),
    cell('late', number(lastRun?.lateRows ?? null)),
    cell('watermark', watermark === null ? none : shortWatermark(watermark), 'w'),
    cell('staged', staged?.version == null ? none : `v${staged.version}`),
    cell('waiting', waiting || none),
    cell('next', until(line.nextAt, now)),
  ]}</tr>${
    line.failing.length > 0 &&
    html`<tr role="row" class="more"><td role="cell" colspan="${COLUMNS.length}">${line.failing.map((each) => failingBox(each, now, SHORT))}</td></tr>`
  }</tbody>
`;
}

const SHORT = 280;

export function rankHtml(rank: Rank): Html {
  return html`${rank !== 'well' && html` <span class="rank">${RANK_WORDS[rank]}</span>`}`;
}

/** What goes on, and what one should know. */
export function notes({ running, paused, heldBy, chunks, warnings }: TableLine, now: number): Html {
  return html`${running.map((each) => runningText(each, now))}${
    chunks !== null &&
    html`<span class="note">run ${chunks.run}: ${formatCount(chunks.done)} of ${formatCount(chunks.of)} chunks</span>`
  }${
    paused !== null && html`<span class="note">paused by ${paused.by}, ${ago(paused.at, now)}</span>`
  }${heldBy !== null && html`<span class="note">held by ${heldBy}</span>`}${warnings.map((each) => html`<span class="note">${each}</span>`)}`;
}

function shortWatermark(watermark: string): string {
  return toSecond(watermark).replace(/\+00$/, '').slice(0, 40);
}

function nothingText(overview: Overview, filter: string): string {
  if (filter !== '' && overview.tables.length > 0) return 'No table is called so.';
  if (!overview.known) return 'The state store has not answered yet.';
  return 'None yet. Tables of the source that tables: names or matches show here within a minute.';
}

export function loadsHtml(overview: Overview, now: number): Html {
  if (overview.loads.length === 0) return html`<p id="load-lines" class="quiet">None is configured.</p>`;
  return html`<ul id="load-lines" class="list">${overview.loads.map((load) => loadHtml(load, now))}</ul>`;
}

function loadHtml({ name, rank, running, failing, nextAt, counts }: LoadLine, now: number): Html {
  const counted = (count: number | null, what: string, bad = false) =>
    count !== null && html` <span${bad && count > 0 && html` class="bad"`}>${formatCount(count)} ${what}</span>`;
  return html`<li class="${rank}"><p><a href="/loads/${encodeURIComponent(name)}">${name}</a>${rankHtml(rank)} <span class="right quiet">${until(nextAt, now)}</span></p><p class="facts">${
    counts === null
      ? html`<span class="none">not counted yet</span>`
      : [counted(counts.done, 'done'), counted(counts.rejects, 'rejected', true), counted(counts.dead, 'dead', true)]
  }</p>${running.map((each) => runningText(each, now))}${failing.map((each) => failingBox(each, now, SHORT))}</li>`;
}

export function runsHtml({ runs }: Overview, now: number): Html {
  if (runs.length === 0) return html`<p id="run-lines" class="quiet">None since the daemon started.</p>`;
  return html`<ol id="run-lines" class="list runs">${runs.map((run) => runHtml(run, now))}</ol>`;
}

function runHtml({ kind, name, at, run, outcome, rows, seconds, error, reason }: Ended, now: number): Html {
  return html`<li class="${outcome}"><p><span class="kind">${kind}</span> <span class="name">${name}</span> <span class="right quiet">${ago(at, now)}</span></p><p class="facts">${
    outcome === 'done' ? html`<span>${rowsText(rows)}</span>` : html`<span class="outcome">${outcome}</span>`
  } <span>${took(seconds * 1000)}</span>${run !== null && html` <span>run ${run}</span>`}${error !== null && html` <code class="code">${error.code}</code>`}${reason !== undefined && html` <span>${reason}</span>`}</p></li>`;
}
