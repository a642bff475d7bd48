/**
 * Patterns of drops' names: `*` within a part, `**` over parts, `?`, `[a-z]`, `[!a]`, `{a,b}`. Invariant: as in a shell, a
 * wildcard never stands for a name that begins with a dot, nor with `_`: _SUCCESS and _temporary/ are no drops. Pure.
 */

import { TidemarkError } from '../model/error.ts';

export type Glob = {
  /** What every name begins with. */
  prefix: string;
  matches(name: string): boolean;
  /** The most parts that a name may have. */
  depth: number;
};

const SHOWN = '(?![._])';
const PART = `${SHOWN}[^/]+`;

/** A pattern whose last part has no wildcard also stands for all that lies below it. Throws CONFIG_INVALID. */
export function compileGlob(pattern: string): Glob {
  const written = pattern === '' || pattern.endsWith('/') ? `${pattern}**` : pattern;
  const last = written.slice(written.lastIndexOf('/') + 1);
  const below = hasWildcard(last) ? '' : `(?:/${PART})*`;
  const regex = new RegExp(`^${source(written, true)}${below}$`, 'su');
  const unbounded = below !== '' || written.includes('**') || /\{[^}]*\//.test(written);
  return {
    prefix: written.slice(0, written.search(/[*?[{]|$/)),
    matches: (name) => regex.test(name),
    depth: unbounded ? Number.POSITIVE_INFINITY : written.split('/').length,
  };
}

function hasWildcard(text: string): boolean {
  return /[*?[{]/.test(text);
}

/** `first`: whether it begins a part. */
function source(pattern: string, first: boolean): string {
  let out = '';
  for (let at = 0; at < pattern.length; ) {
    const starts = at === 0 ? first : pattern[at - 1] === '/';
    const shown = starts ? SHOWN : '';
    const c = pattern[at];
    if (starts && /^\*\*(\/|$)/.test(pattern.slice(at))) {
      const more = pattern[at + 2] === '/';
      out += more ? `(?:${PART}/)*` : `(?:${PART}/)*${PART}`;
      at += more ? 3 : 2;
    } else if (c === '*') {
      out += `${shown}[^/]*`;
      at += /^\*+/.exec(pattern.slice(at))![0].length;
    } else if (c === '?') {
      out += `${shown}[^/]`;
      at++;
    } else if (c === '[') {
      const [whole, not, members] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(pattern.slice(at)) ?? [];
      if (whole === undefined || members === '') throw unclosed('[');
      out += `${shown}(?!/)[${not ? '^' : ''}${members.replaceAll(/[\\[\]^]/g, '\\$&')}]`;
      at += whole.length;
    } else if (c === '{') {
      const end = pattern.indexOf('}', at);
      if (end < 0) throw unclosed('{');
      const choices = pattern.slice(at + 1, end).split(',');
      if (choices.length < 2) throw unknownName(choices[0]);
      out += `(?:${choices.map((choice) => source(choice, starts)).join('|')})`;
      at = end + 1;
    } else {
      const literal = String.fromCodePoint(pattern.codePointAt(at)!);
      out += literal.replace(/[.+^$()|\\}\]/]/, '\\$&');
      at += literal.length;
    }
  }
  return out;
}

function unclosed(c: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `a "${c}" of the pattern has no end`, {
    hint: 'patterns are * ** ? [a-z] {a,b} and the dates {yyyy} {mm} {dd}',
  });
}

function unknownName(name: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `the pattern knows no {${name}}`, {
    hint: 'dates are {yyyy}, {mm} and {dd}; hours are any: *',
  });
}
