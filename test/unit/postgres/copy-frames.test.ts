import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CopyFrames } from '../../../src/postgres/copy-frames.ts';

/** A message of the protocol: a type, a length that counts itself, the body. */
function message(type: string, body: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

type Seen = { rows: string[]; messages: string[]; rest: string; early: number };

/** Feeds the chunks; payloads count only once chunkEnd() has come, as a sink that reads in place sees them. */
function feed(chunks: Buffer[]): Seen {
  const seen: Seen = { rows: [], messages: [], rest: '', early: 0 };
  let open: { bytes: Buffer; start: number; end: number }[] = [];
  const frames = new CopyFrames({
    copyData(bytes, view, start, end) {
      expect(view.byteOffset - bytes.byteOffset).toBe(0);
      open.push({ bytes, start, end });
    },
    chunkEnd() {
      seen.rows.push(...open.map(({ bytes, start, end }) => bytes.toString('latin1', start, end)));
      open = [];
    },
    message(bytes) {
      seen.early += open.length;
      seen.messages.push(bytes.toString('latin1'));
    },
    rest(bytes) {
      seen.rest += bytes.toString('latin1');
    },
  });
  for (const chunk of chunks) {
    // A copy that is overwritten afterwards, as the socket's one buffer is.
    const own = Buffer.from(chunk);
    frames.feed(own);
    own.fill(0xee);
  }
  expect(open).toEqual([]);
  return seen;
}

const others = [
  message('H', '\x01\x00\x01\x00\x01'),
  message('N', 'SNOTICE\0C00000\0Mhello\0\0'),
  message('S', 'TimeZone\0UTC\0'),
  message('c'),
  message('C', 'COPY 3\0'),
];
const rows = ['', 'a', 'row two', 'x'.repeat(40)];
const conversation = [
  others[0],
  message('d', rows[0]),
  message('d', rows[1]),
  others[1],
  message('d', rows[2]),
  others[2],
  message('d', rows[3]),
  others[3],
  others[4],
];
const ready = message('Z', 'T');
const behind = message('S', 'DateStyle\0ISO\0');
const whole = Buffer.concat([...conversation, ready]);
const expected = {
  rows,
  messages: [...others.map(String), String(ready)],
  rest: '',
  early: 0,
};

describe('the same messages, wherever the bytes are cut', () => {
  test('in one chunk', () => {
    expect(feed([whole])).toEqual(expected);
  });

  test('in two chunks, cut at every byte', () => {
    for (let cut = 1; cut < whole.length; cut++) {
      expect(feed([whole.subarray(0, cut), whole.subarray(cut)]), `cut at ${cut}`).toEqual(expected);
    }
  });

  test('in chunks of one size, of every size', () => {
    for (let size = 1; size <= whole.length; size++) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
      expect(feed(chunks), `chunks of ${size}`).toEqual(expected);
    }
  });

  test('in any chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length)), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, i) => whole.subarray(at[i], end));
        expect(feed(chunks.filter((chunk) => chunk.length > 0))).toEqual(expected);
      }),
    );
  });
});

test('a payload that arrives whole is seen in place, not copied', () => {
  const chunk = Buffer.concat([message('d', 'one'), message('d', 'two')]);
  let inPlace = 0;
  const frames = new CopyFrames({
    copyData: (bytes) => {
      if (bytes === chunk) inPlace++;
    },
    chunkEnd() {},
    message() {},
    rest() {},
  });
  frames.feed(chunk);
  expect(inPlace).toBe(2);
});

test("what comes behind ReadyForQuery is no longer the COPY's, wherever ReadyForQuery is cut", () => {
  const all = Buffer.concat([whole, behind]);
  const begins = whole.length - ready.length;
  for (let cut = begins; cut <= whole.length; cut++) {
    const seen = feed([all.subarray(0, cut)].concat(cut < whole.length ? [all.subarray(cut)] : []));
    if (cut < whole.length) expect(seen, `cut at ${cut}`).toEqual({ ...expected, rest: String(behind) });
    else expect(seen).toEqual(expected);
  }
});

test('an error in the middle of the rows comes through whole, after the rows before it', () => {
  const error = message('E', 'SERROR\0C22012\0Mdivision by zero\0\0');
  const bytes = Buffer.concat([conversation[0], message('d', 'row'), error, ready]);
  for (let cut = 1; cut < bytes.length; cut++) {
    expect(feed([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual({
      rows: ['row'],
      messages: [others[0], error, ready].map(String),
      rest: '',
      early: 0,
    });
  }
});

test.each([0, 3, -1])('a message that says it is %i bytes long is not of the protocol, cut or whole', (length) => {
  const bad = message('d', 'x');
  bad.writeInt32BE(length, 1);
  for (let cut = 1; cut <= bad.length; cut++) {
    const chunks = [bad.subarray(0, cut), bad.subarray(cut)].filter((chunk) => chunk.length > 0);
    expect(() => feed(chunks)).toThrow(expect.objectContaining({ code: 'SOURCE_FAILED' }));
  }
});
