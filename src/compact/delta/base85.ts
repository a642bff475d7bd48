/** Z85, the base 85 of Delta's log (rfc.zeromq.org/spec/32): four bytes are five characters, none of which JSON would escape. */

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** Bytes are filled up with zeros to a multiple of four. */
export function encodeBase85(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const group = Buffer.alloc(4);
    bytes.copy(group, 0, at);
    let word = group.readUInt32BE();
    let digits = '';
    for (let i = 0; i < 5; i++) {
      digits = DIGITS[word % 85] + digits;
      word = Math.floor(word / 85);
    }
    text += digits;
  }
  return text;
}

/** Null: it is no Z85. */
export function decodeBase85(text: string): Buffer | null {
  if (text.length % 5 !== 0) return null;
  const bytes = Buffer.alloc((text.length / 5) * 4);
  for (let group = 0; group < text.length / 5; group++) {
    let word = 0;
    for (const digit of text.slice(group * 5, group * 5 + 5)) word = word * 85 + (VALUES.get(digit) ?? Number.NaN);
    if (!(word <= 0xffff_ffff)) return null;
    bytes.writeUInt32BE(word, group * 4);
  }
  return bytes;
}
