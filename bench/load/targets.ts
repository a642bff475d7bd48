/** What a load must reach, and whether it did. Pure: from the results to lines of a table. */

export type Result = { name: string; wall: number; cpu: number; rssMb: number };

const MOST_MB = 300;

export function targets(results: Result[]): string[][] {
  const of = (start: string) => results.find(({ name }) => name.startsWith(start));
  const local = of('tidemark, from a folder');
  const [floor, bad, known] = [of('psql'), of('tidemark, 1% bad'), of('tidemark, all drops known')];
  const ours = results.filter(({ name }) => name.startsWith('tidemark'));
  const slow = of('Python');
  const line = (what: string, measured: string, reached: boolean) => [what, measured, reached ? 'yes' : 'no'];
  const ratio = (a: Result, b: Result) => a.wall / b.wall;
  return [
    local && floor && line('at most 1.6 times the floor', ratio(local, floor).toFixed(2), ratio(local, floor) <= 1.6),
    local &&
      slow &&
      line('at least 10 times as fast as a file a call', ratio(slow, local).toFixed(1), ratio(slow, local) >= 10),
    local &&
      bad &&
      line('1% bad lines: at most 1.3 times the clean time', ratio(bad, local).toFixed(2), ratio(bad, local) <= 1.3),
    known && line('known drops: at most 2 s', `${known.wall.toFixed(2)} s`, known.wall <= 2),
    ours.length > 0 && peak(ours),
  ].filter((each) => Array.isArray(each));

  function peak(some: Result[]): string[] {
    const most = Math.max(...some.map(({ rssMb }) => rssMb));
    return line(`at most ${MOST_MB} MB`, `${most.toFixed(0)} MB`, most <= MOST_MB);
  }
}
