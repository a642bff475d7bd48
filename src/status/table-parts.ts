/** The tables of a table's own page. Pure. */

import type { Ended } from '../daemon/board.ts';
import { messageWithPlace } from '../model/error.ts';
import { formatBytes, formatCount } from '../model/format.ts';
import type { LakeType } from '../model/lake-type.ts';
import type { WrittenColumn } from '../model/run.ts';
import type { TableRun } from '../state/table-runs.ts';
import type { TableStatus } from '../state/tables.ts';
import { type Html, html } from './html.ts';
import { ago, none, number, took } from './show.ts';
import { quiet, shownPart, table } from './show-part.ts';
import type { Part, TableDetails, Version } from './table-details.ts';

export function runsTable(runs: Part<TableRun[]>, ended: readonly Ended[], now: number): Html {
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
  }</td><td><span class="outcome">${outcome}</span></td></tr>${run.error !== null && whyLine(run.error)}`;
}

/** Below the run: beside it a sentence would be cut off. */
function whyLine(error: NonNullable<TableRun['error']>): Html {
  return html`<tr class="why"><td colspan="9"><code class="code">${error.code}</code> ${messageWithPlace(error)}</td></tr>`;
}

function compactionLine({ run, kind, at, seconds, rows, bytes }: Ended, now: number): Html {
  return html`<tr class="done"><td class="n">${run ?? none}</td><td>${kind}</td><td class="n">${ago(at, now)}</td><td class="n">${took(seconds * 1000)}</td><td class="n">${number(rows)}</td><td class="n">${none}</td><td class="n">${none}</td><td class="n">${formatBytes(bytes)}</td><td><span class="outcome">done</span></td></tr>`;
}

export function versionsTable(versions: Part<Version[]>, now: number): Html {
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

export function filesTable(files: TableDetails['files']): Html {
  return shownPart(files, (known) => {
    if (known.length === 0) return quiet('None yet.');
    const rows = known.map(
      ({ run, key, rows, bytes }) =>
        html`<tr><td class="n">${run}</td><td class="n">${number(rows)}</td><td class="n">${formatBytes(Number(bytes))}</td><td class="key">${key}</td></tr>`,
    );
    return table([['Run', 'n'], ['Rows', 'n'], ['Size', 'n'], ['File']], rows);
  });
}

export function columnsTable(columns: Part<WrittenColumn[]>, { unfit }: TableStatus): Html {
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
