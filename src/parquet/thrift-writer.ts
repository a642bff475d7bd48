/** Thrift's compact protocol, the writing half. Invariant: fields of a struct are written in the order of their ids. */

const TYPE = { true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

export type ElementType = 'i32' | 'binary' | 'struct';

export class ThriftWriter {
  #bytes: Buffer;
  #size = 0;
  #lastId = 0;
  readonly #outer: number[] = [];

  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** What was written; valid until the next write. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Starts anew in the same memory. */
  reset(): void {
    this.#size = 0;
    this.#lastId = 0;
    this.#outer.length = 0;
  }

  boolean(id: number, value: boolean): void {
    this.#field(id, value ? TYPE.true : TYPE.false);
  }

  byte(id: number, value: number): void {
    this.#field(id, TYPE.byte);
    this.#room(1);
    this.#bytes[this.#size++] = value;
  }

  i16(id: number, value: number): void {
    this.#field(id, TYPE.i16);
    this.integer(value);
  }

  i32(id: number, value: number): void {
    this.#field(id, TYPE.i32);
    this.integer(value);
  }

  /** A number between 0 and 2^52: sizes, counts and offsets, exact without a BigInt. */
  i64(id: number, value: number): void {
    this.#field(id, TYPE.i64);
    this.integer(value);
  }

  string(id: number, value: string): void {
    this.#field(id, TYPE.binary);
    this.text(value);
  }

  binary(id: number, value: Uint8Array): void {
    this.#field(id, TYPE.binary);
    this.#varint(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#size);
    this.#size += value.length;
  }

  list(id: number, element: ElementType, length: number): void {
    this.#field(id, TYPE.list);
    this.#room(1);
    this.#bytes[this.#size++] = (Math.min(length, 15) << 4) | TYPE[element];
    if (length >= 15) this.#varint(length);
  }

  /** A struct as a field; closed by `end`. */
  struct(id: number): void {
    this.#field(id, TYPE.struct);
    this.element();
  }

  /** A struct as an element of a list; closed by `end`. */
  element(): void {
    this.#outer.push(this.#lastId);
    this.#lastId = 0;
  }

  /** Ends a struct, or the whole message. */
  end(): void {
    this.#room(1);
    this.#bytes[this.#size++] = 0;
    this.#lastId = this.#outer.pop() ?? 0;
  }

  /** A bare zigzag number: an i32 element of a list. */
  integer(value: number): void {
    this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** A bare string: an element of a list. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.#varint(length);
    this.#room(length);
    this.#bytes.write(value, this.#size);
    this.#size += length;
  }

  #field(id: number, type: number): void {
    const delta = id - this.#lastId;
    this.#room(1);
    // The short form reaches 15 ids ahead; no struct of Parquet's has a wider gap.
    this.#bytes[this.#size++] = (delta << 4) | type;
    this.#lastId = id;
  }

  #varint(value: number): void {
    this.#room(10);
    let rest = value;
    // Division above 31 bits: a shift would cut an offset beyond 2 GiB.
    while (rest > 0x7fffffff) {
      this.#bytes[this.#size++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.#size++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#size++] = rest;
  }

  #room(bytes: number): void {
    if (this.#size + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe((this.#size + bytes) * 2);
    this.#bytes.copy(grown, 0, 0, this.#size);
    this.#bytes = grown;
  }
}
