/** Makes the drops: gzipped JSON lines of events, of which half are wanted, and the wanted rows as COPY takes them. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const gzip = promisify(zlib.gzip);

export type Drops = {
  good: string;
  bad: string;
  prepared: string;
  files: number;
  lines: number;
  kept: number;
  bytes: number;
};

const KINDS = ['click', 'view', 'purchase', 'scroll'];
export const KEPT = ['click', 'purchase'];
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148',
];
const AT_ONCE = 16;

/** `good/` and `bad/` (one line in a hundred is broken) and `prepared.tsv` below the folder. */
export async function makeDrops(folder: string, files: number, linesEach: number): Promise<Drops> {
  const drops: Drops = {
    good: path.join(folder, 'good'),
    bad: path.join(folder, 'bad'),
    prepared: path.join(folder, 'prepared.tsv'),
    files,
    lines: files * linesEach,
    kept: 0,
    bytes: 0,
  };
  await mkdir(drops.good, { recursive: true });
  await mkdir(drops.bad, { recursive: true });
  const prepared = createWriteStream(drops.prepared);
  for (let first = 0; first < files; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, files - first) }, (_, i) => first + i);
    await Promise.all(
      some.map(async (file) => {
        const { text, broken, rows, kept } = drop(file, linesEach);
        drops.kept += kept;
        prepared.write(rows);
        const name = `events-${String(file).padStart(6, '0')}.json.gz`;
        const packed = await gzip(text, { level: 6 });
        drops.bytes += packed.length;
        await writeFile(path.join(drops.good, name), packed);
        await writeFile(path.join(drops.bad, name), await gzip(broken, { level: 6 }));
      }),
    );
    if (prepared.writableNeedDrain) await new Promise<void>((resolve) => prepared.once('drain', resolve));
  }
  prepared.end();
  await finished(prepared);
  return drops;
}

function drop(file: number, lines: number) {
  let [text, broken, rows, kept] = ['', '', '', 0];
  for (let line = 0; line < lines; line++) {
    const i = file * lines + line;
    const h = createHash('md5').update(String(i)).digest('hex');
    const id = `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20)}`;
    const kind = KINDS[Number.parseInt(h[0], 16) % 4];
    const user = Number.parseInt(h.slice(2, 9), 16);
    const at = new Date(1_745_000_000_000 + i * 34).toISOString();
    const amount = (user % 100_000) / 100;
    const event = `{"event_id":"${id}","user_id":${user},"event_type":"${kind}","ts":"${at}","amount":${amount},"page":"/products/${user % 5000}","session":"${h.slice(4, 20)}","agent":"${AGENTS[user % 2]}"}\n`;
    text += event;
    broken += i % 100 === 99 ? `${event.slice(0, 100)}\n` : event;
    if (!KEPT.includes(kind)) continue;
    kept++;
    rows += `${id}\t${user}\t${kind}\t${at}\t${amount}\n`;
  }
  return { text, broken, rows, kept };
}
