/** Numbers, sizes and times for people. Pure. */

export function formatCount(count: bigint | number): string {
  return count.toLocaleString('en-US');
}

/** In units of 1,000: `999 B`, `1.2 KB`, `88 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `0.3 s`, `12 s`, `4 min`, `3.5 h`, `2 d`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 5970) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** For --json: to the millisecond. */
export function seconds(exact: number): number {
  return Math.round(exact * 1000) / 1000;
}

/** An instant as Postgres prints it, without the fraction of its seconds; --json has all of it. */
export function toSecond(instant: string): string {
  return instant.replace(/\.\d+/, '').replace(/^([\d-]+)T([\d:]+)Z$/, '$1 $2+00');
}

/** Columns lined up, two spaces between; `right`: which columns hold numbers. */
export function formatTable(rows: string[][], right: boolean[] = []): string[] {
  const widths = rows.reduce<number[]>((max, row) => row.map((cell, i) => Math.max(max[i] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}
