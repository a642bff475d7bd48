/** What is wrong with a configuration, in words. Invariant: keys are named, values never; they may be secrets. */

import type { z } from 'zod';
import { TidemarkError } from '../model/error.ts';
import type { Path, Position } from './yaml-text.ts';

export type Problem = { message: string; hint?: string; position: Position };

const MOST_SHOWN = 5;

/** One CONFIG_INVALID for all of them; `shown` names the file. */
export function invalid(shown: string, problems: Problem[]): TidemarkError {
  const sorted = problems.toSorted(
    (a, b) => a.position.line - b.position.line || a.position.column - b.position.column,
  );
  const words = sorted.map(({ message, position }) => `${shown}:${position.line}:${position.column}: ${message}`);
  const more = words.length > MOST_SHOWN ? `; and ${words.length - MOST_SHOWN} more` : '';
  return new TidemarkError('CONFIG_INVALID', words.slice(0, MOST_SHOWN).join('; ') + more, {
    hint: sorted[0].hint ?? 'docs/configuration.md has every key',
  });
}

/** One ENV_MISSING for all variables that are not set. */
export function unset(missing: { name: string; position: Position }[], shown: string): TidemarkError {
  const words = missing.map(({ name, position }) => `${name} (${shown}:${position.line}:${position.column})`);
  const names = [...new Set(missing.map(({ name }) => name))];
  const [first] = names;
  return new TidemarkError('ENV_MISSING', `not set in the environment: ${words.join(', ')}`, {
    hint: `export ${first}=…, or give it a default: \${${first}:-…}`,
  });
}

/** zod's issues, each with its place; an unknown key is a problem of its own. */
export function problemsOf(
  issues: z.core.$ZodIssue[],
  value: unknown,
  positionOf: (path: Path, what?: 'key' | 'value') => Position,
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path as Path;
    if (issue.code === 'unrecognized_keys') {
      const words = issue.message.split('\n');
      return issue.keys.map((key, i) => ({
        message: within(path, words[i]),
        position: positionOf([...path, key], 'key'),
      }));
    }
    return [{ message: `${nameOf(path)} ${complaint(issue, valueAt(value, path))}`, position: positionOf(path) }];
  });
}

function within(path: Path, words: string): string {
  return path.length === 0 ? words : `${words.replace(';', ` in ${nameOf(path)};`)}`;
}

/** `tables[1].cursor` */
function nameOf(path: Path): string {
  if (path.length === 0) return 'the file';
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<string | number, unknown> | undefined)?.[step], value);
}

const KINDS: Record<string, string> = {
  object: 'a mapping of keys',
  record: 'a mapping of keys',
  array: 'a list',
  string: 'text',
};

function complaint(issue: z.core.$ZodIssue, found: unknown): string {
  if (found === undefined) return 'is missing';
  // Fields with words of their own (a size, a duration) keep them.
  if (issue.code === 'invalid_type' && KINDS[issue.expected] && issue.message.startsWith('Invalid input')) {
    const quote = issue.expected === 'string' && ['number', 'boolean'].includes(typeof found);
    return `must be ${KINDS[issue.expected]}, not ${kindOf(found)}${quote ? '; put it in quotes' : ''}`;
  }
  if (issue.code === 'invalid_value') return `must be ${orList(issue.values.map(String))}`;
  if (issue.code === 'too_small' && issue.origin === 'array') return 'must not be empty';
  return issue.message;
}

function orList(words: string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'a number' : 'true or false';
}
