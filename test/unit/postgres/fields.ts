/** Fields of a binary COPY, made by hand for the builders' tests. */

/** Fields one after another, each behind its length; `at` has where each begins, -1 for NULL. */
export function batchOf(fields: (Buffer | null)[]): { bytes: Buffer; view: DataView; at: Int32Array } {
  const parts: Buffer[] = [Buffer.from('before')];
  const at = new Int32Array(fields.length);
  let end = parts[0].length;
  for (const [i, field] of fields.entries()) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field === null ? -1 : field.length);
    parts.push(length, field ?? Buffer.alloc(0));
    at[i] = field === null ? -1 : end + 4;
    end += 4 + (field?.length ?? 0);
  }
  const bytes = Buffer.concat(parts);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at };
}

/** numeric_send; the display scale is what the digits need. `special`: the sign word of NaN or an infinity. */
export function numericField(value: { negative: boolean; weight: number; digits: number[]; special?: number }): Buffer {
  const field = Buffer.alloc(8 + value.digits.length * 2);
  field.writeInt16BE(value.digits.length, 0);
  field.writeInt16BE(value.weight, 2);
  field.writeUInt16BE(value.special ?? (value.negative ? 0x4000 : 0), 4);
  field.writeUInt16BE(Math.min(Math.max(0, (value.digits.length - 1 - value.weight) * 4), 0x3fff), 6);
  for (const [i, digit] of value.digits.entries()) field.writeInt16BE(digit, 8 + i * 2);
  return field;
}

export function int64Field(value: bigint): Buffer {
  const field = Buffer.alloc(8);
  field.writeBigInt64BE(value);
  return field;
}

export function int32Field(value: number): Buffer {
  const field = Buffer.alloc(4);
  field.writeInt32BE(value);
  return field;
}
