/** The places in a row that somebody wants, as a tree beside which a row is read once. Pure. */

export type Path = readonly (string | number)[];

export type PathNode = {
  /** Where its value is noted; -1: nobody wants it as a whole. */
  slot: number;
  /** Every slot at or below it: a key that comes twice replaces all of them. */
  below: number[];
  names: { name: string; bytes: Uint8Array; node: PathNode }[];
  elements: Map<number, PathNode>;
};

function emptyNode(): PathNode {
  return { slot: -1, below: [], names: [], elements: new Map() };
}

/** The tree, and each path's slot: equal paths share one. */
export function pathTree(paths: Path[]): { root: PathNode; slots: number[]; count: number } {
  const root = emptyNode();
  let count = 0;
  const slots = paths.map((path) => {
    const node = path.reduce<PathNode>(childOf, root);
    if (node.slot === -1) {
      node.slot = count++;
      let at: PathNode = root;
      for (const step of path) {
        at.below.push(node.slot);
        at = childOf(at, step);
      }
      at.below.push(node.slot);
    }
    return node.slot;
  });
  return { root, slots, count };
}

function childOf(node: PathNode, step: string | number): PathNode {
  if (typeof step === 'number') {
    const there = node.elements.get(step);
    if (there) return there;
    const made = emptyNode();
    node.elements.set(step, made);
    return made;
  }
  const there = node.names.find(({ name }) => name === step);
  if (there) return there.node;
  const made = emptyNode();
  node.names.push({ name: step, bytes: Buffer.from(step), node: made });
  return made;
}

/**
 * Which of the node's names the bytes of a key within its quotes are; -1: none of them. `expected` is tried first: rows keep their order.
 */
export function nameIndex(
  { names }: PathNode,
  b: Uint8Array,
  start: number,
  end: number,
  escaped: boolean,
  expected: number,
): number {
  if (escaped) {
    const name = JSON.parse(Buffer.from(b.subarray(start - 1, end + 1)).toString()) as string;
    return names.findIndex((wanted) => wanted.name === name);
  }
  const length = end - start;
  for (let n = 0, at = expected; n < names.length; n++, at++) {
    if (at >= names.length) at -= names.length;
    const { bytes } = names[at];
    if (bytes.length !== length) continue;
    let i = 0;
    while (i < length && b[start + i] === bytes[i]) i++;
    if (i === length) return at;
  }
  return -1;
}
