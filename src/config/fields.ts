/** The kinds of values in tidemark.yaml. Invariant: no message repeats a value; it could be a secret. */

import cron from 'node-cron';
import { z } from 'zod';
import { nearest } from './nearest.ts';
import { DURATION, parseDuration, parseSize, SIZE } from './units.ts';

/** A mapping with just these keys; what else is there is named with the key that was probably meant. */
export function keys<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? unknownKeys(issue.keys, Object.keys(shape)) : undefined),
  });
}

/** One line a key; load-config.ts gives each its own position. */
function unknownKeys(unknown: string[], known: string[]): string {
  return unknown
    .map((key) => {
      const [meant] = nearest(key, known);
      return `unknown key "${key}"; ${meant ? `did you mean "${meant}"?` : `known are ${known.join(', ')}`}`;
    })
    .join('\n');
}

export const text = () => z.string().min(1, { error: 'must not be empty' });

export const size = (least = '1B') =>
  z
    .string({ error: 'must be a size such as 128MB' })
    .regex(SIZE, { error: 'is no size: write a number and B, kB, MB, GB or TB, such as 128MB' })
    .transform(parseSize)
    .refine((bytes) => bytes >= parseSize(least), { error: `must be at least ${least}` });

export const duration = (least = '0s') =>
  z
    .string({ error: 'must be a duration such as 30m' })
    .regex(DURATION, { error: 'is no duration: write a number and ms, s, m, h, d or w, such as 30m or 1h30m' })
    .transform(parseDuration)
    .refine((ms) => ms >= parseDuration(least), { error: `must be at least ${least}` });

// A value that came out of ${NAME} is a text, also where a number or a yes or no is wanted.
export const count = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  const within = (n: number) => Number.isInteger(n) && n >= least && n <= most;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,12}$/)
          .transform(Number),
      ],
      { error },
    )
    .refine(within, { error });
};

export const flag = () =>
  z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], {
    error: 'must be true or false',
  });

/** A share from 0 to 1. */
export const percentage = () =>
  z
    .string({ error: 'must be a percentage such as 5%' })
    .regex(/^\d{1,3}(\.\d+)?%$/, { error: 'is no percentage: write it as 5%' })
    .transform((text) => Number(text.slice(0, -1)) / 100)
    .refine((share) => share <= 1, { error: 'must not exceed 100%' });

/** How to log in to a database. */
export const auth = () => z.enum(['password', 'rds-iam'], { error: 'must be password or rds-iam' });

export const timezone = () =>
  text().refine(isTimezone, { error: 'is no time zone: write a name such as Europe/Berlin, or UTC' });

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // An offset is taken by Intl, but not by Postgres in the same sense (its sign is the other way round).
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

export const schedule = () =>
  text().refine((expression) => expression === 'off' || isEvery(expression) || cron.validate(expression), {
    error: 'is no schedule: write a cron expression such as "*/5 * * * *", "@every 30s" (a second at least), or off',
  });

function isEvery(expression: string): boolean {
  const every = /^@every\s+(\S+)$/.exec(expression)?.[1] ?? '';
  return DURATION.test(every) && parseDuration(every) >= 1_000;
}

/** The same values, from one or a list of them. */
export const oneOrMore = <T extends z.ZodType>(item: T, error: string) =>
  z.union([item.transform((one) => [one]), z.array(item).min(1)], { error });
