/** How times, numbers and errors look. Pure; the script of the page ages what has `data-ago` or `data-in`, by the same words. */

import type { ShownError } from '../daemon/board.ts';
import { formatCount, formatSeconds } from '../model/format.ts';
import { type Html, html, type Part } from './html.ts';
import type { Failing, Rank, Running } from './overview.ts';

/** `4 s`, `3 min`: in whole seconds, for they are counted up. */
function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 100 ? `${seconds} s` : formatSeconds(seconds);
}

/** `2026-07-01 09:30:00`, UTC. */
function utc(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** How long ago. */
export function ago(at: number | null, now: number): Html {
  if (at === null) return none;
  return html`<time datetime="${new Date(at).toISOString()}" title="${utc(at)} UTC" data-ago="${at}">${age(now - at)}</time>`;
}

/** How long until then; `now` when it is due. */
export function until(at: number | null, now: number): Html {
  if (at === null) return none;
  const words = at - now < 500 ? 'now' : `in ${age(at - now)}`;
  return html`<time datetime="${new Date(at).toISOString()}" title="${utc(at)} UTC" data-in="${at}">${words}</time>`;
}

export const none = html`<span class="none">–</span>`;

/** A number; a zero is quiet. */
export function number(count: bigint | number | null): Html {
  if (count === null) return none;
  return Number(count) === 0 ? html`<span class="none">0</span>` : html`${formatCount(count)}`;
}

const KIND_WORDS = {
  export: { now: 'exporting', fails: 'export fails' },
  compact: { now: 'compacting', fails: 'compaction fails' },
  load: { now: 'loading', fails: 'load fails' },
  vacuum: { now: 'vacuuming', fails: 'vacuum fails' },
  reconcile: { now: 'reconciling', fails: 'reconciliation fails' },
} as const;

export const RANK_WORDS: Record<Rank, string> = {
  failing: 'failing',
  late: 'late',
  warning: 'warning',
  paused: 'paused',
  held: 'held',
  running: 'running',
  well: 'well',
};

export function runningText({ kind, since, rows }: Running, now: number): Html {
  return html`<span class="note">${words(kind).now}${rows > 0 && ` ${rowsText(rows)}`}, ${ago(since, now)}</span>`;
}

function words(kind: string): { now: string; fails: string } {
  return KIND_WORDS[kind as keyof typeof KIND_WORDS] ?? { now: kind, fails: `${kind} fails` };
}

/** Code, message and hint, since when, and when it is tried again. `most`: of the message's characters. */
export function failingBox(
  { kind, since, times, retryAt, slow, error }: Failing,
  now: number,
  most = Number.POSITIVE_INFINITY,
): Html {
  return html`<div class="trouble"><p>${words(kind).fails} for ${ago(since, now)}${times !== null && times > 1 && `, ${times} times`}${
    retryAt !== null && html`, next try ${until(retryAt, now)}${slow && ' (rarely now)'}`
  }</p>${errorText(error, most)}</div>`;
}

/** `most`: of the message's characters. */
export function errorText({ code, message, hint }: ShownError, most = Number.POSITIVE_INFINITY): Html {
  return html`<p><code class="code">${code}</code> ${cut(message, most)}</p>${hint !== null && html`<p class="hint">${marked(hint)}</p>`}`;
}

/** What stands in backticks, for a terminal, is code here. */
export function marked(text: string): Part {
  return text.split(/`([^`]+)`/).map((each, i) => (i % 2 === 1 ? html`<code>${each}</code>` : each));
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)} …` : text;
}

/** A duration; short ones are no zero. */
export function took(ms: number): string {
  return ms < 50 ? '<0.1 s' : formatSeconds(ms / 1000);
}

export function rowsText(rows: bigint | number): string {
  return `${formatCount(rows)} ${Number(rows) === 1 ? 'row' : 'rows'}`;
}
