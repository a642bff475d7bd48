/** Names of the files below `_delta_log/` (PROTOCOL.md, "Delta Log Entries", "Checkpoint Naming Scheme"). Pure. */

/** `part` of `parts`: of a multi-part checkpoint, from 1. `uuid`: a V2 checkpoint. `other`: checksums and log compactions. */
export type LogFile =
  | { kind: 'commit'; version: number }
  | { kind: 'checkpoint'; version: number; part: number; parts: number }
  | { kind: 'uuid-checkpoint' | 'other'; version: number };

export function logFolder(root: string): string {
  return `${root}/_delta_log/`;
}

export function lastCheckpointKey(root: string): string {
  return `${logFolder(root)}_last_checkpoint`;
}

export function commitKey(root: string, version: number): string {
  return `${logFolder(root)}${padded(version)}.json`;
}

/** The keys of a checkpoint's parts, in order. */
export function checkpointKeys(root: string, version: number, parts: number): string[] {
  const base = `${logFolder(root)}${padded(version)}.checkpoint`;
  if (parts === 1) return [`${base}.parquet`];
  const number = (part: number) => String(part).padStart(10, '0');
  return Array.from({ length: parts }, (_, n) => `${base}.${number(n + 1)}.${number(parts)}.parquet`);
}

/** Every file of this version and later ones comes after this key, every earlier one before it. */
export function keyBefore(root: string, version: number): string {
  return `${logFolder(root)}${padded(version)}`;
}

const NAME = /^(\d{20})\.(?:(json)|checkpoint\.parquet|checkpoint\.(\d{10})\.(\d{10})\.parquet|(.+))$/s;

/** What a file of the log is by its name (the part of the key after `_delta_log/`); null when it is none. */
export function parseLogName(name: string): LogFile | null {
  const match = NAME.exec(name);
  if (!match) return null;
  const version = Number(match[1]);
  if (match[2]) return { kind: 'commit', version };
  if (match[5] === undefined) {
    return { kind: 'checkpoint', version, part: Number(match[3] ?? 1), parts: Number(match[4] ?? 1) };
  }
  if (/^checkpoint\.[^/]+\.(parquet|json)$/.test(match[5])) return { kind: 'uuid-checkpoint', version };
  // `<first>.<last>.compacted.json` stands for commits up to its last one.
  const compacted = /^(\d{20})\.compacted\.json$/.exec(match[5]);
  if (compacted) return { kind: 'other', version: Number(compacted[1]) };
  return match[5] === 'crc' ? { kind: 'other', version } : null;
}

function padded(version: number): string {
  return String(version).padStart(20, '0');
}
