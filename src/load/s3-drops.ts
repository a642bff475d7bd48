/** Drops in a bucket. Invariant: every GET carries the ETag that was listed; small objects stay in memory, large ones go to a file. */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fetchS3 } from '../lake/s3-fetch.ts';
import { listObjects } from '../lake/s3-list.ts';
import { openSession } from '../lake/s3-session.ts';
import type { LakeOptions, S3Settings } from '../lake/settings.ts';
import { TidemarkError } from '../model/error.ts';
import type { DropSource } from './drop-source.ts';
import { globsOf, type Place } from './place.ts';
import { NO_ETAG, smallGets } from './s3-small-get.ts';

/** Up to here a drop is fetched in one piece, in memory. */
const SMALL = 16 * 1024 * 1024;

export function openS3Drops(
  place: Extract<Place, { kind: 's3' }>,
  settings: S3Settings,
  temporary: string,
  options: LakeOptions,
): DropSource {
  const s3 = openSession(place.bucket, '', settings, options);
  const small = smallGets(s3);
  return {
    url: `s3://${place.bucket}/${place.pattern}`,
    async *list(days, signal, start) {
      for (const { prefix, globs } of globsOf(place, days)) {
        const after = (await start?.(prefix)) ?? undefined;
        for await (const { key, bytes, etag, modified } of listObjects(s3, prefix, signal, after)) {
          if (!globs.some((glob) => glob.matches(key))) continue;
          yield { key, bytes, etag: etag === '' ? `${NO_ETAG}${bytes}-${modified.getTime()}` : etag };
        }
      }
    },
    async read(drop, parse, signal) {
      if (drop.bytes <= SMALL) {
        const bytes = await small.get(drop, signal);
        if (bytes === 'gone') return 'gone';
        try {
          return await parse({ bytes });
        } finally {
          // As garbage it would lie there until the next full collection.
          if (!bytes.buffer.detached) bytes.buffer.transfer(0);
        }
      }
      await mkdir(temporary, { recursive: true });
      // The suffix tells the format.
      const file = path.join(temporary, `drop-${randomUUID()}-${path.posix.basename(drop.key).slice(-80)}`);
      try {
        await fetchS3(s3, drop.key, file, signal, {
          bytes: drop.bytes,
          ...(drop.etag.startsWith(NO_ETAG) ? {} : { etag: drop.etag }),
        });
        return await parse({ path: file });
      } catch (error) {
        if (error instanceof TidemarkError && ['LAKE_NOT_FOUND', 'LAKE_CHANGED'].includes(error.code)) return 'gone';
        throw error;
      } finally {
        await rm(file, { force: true });
      }
    },
    async [Symbol.asyncDispose]() {
      small[Symbol.dispose]();
      s3.client.destroy();
    },
  };
}
