/** A bound of a Parquet column as text for the manifest: numbers as digits, instants as Postgres prints them in UTC. Pure. */

import type { ParquetType } from '../parquet/schema.ts';
import { dateText, decimalText, EPOCH_DAYS, instantText } from '../postgres/render.ts';

/** `plain`: the value's PLAIN bytes (strings without their length). */
export function boundText(type: ParquetType, plain: Buffer): string {
  const { logical } = type;
  switch (type.physical) {
    case 'boolean':
      return plain[0] ? 'true' : 'false';
    case 'int32': {
      const value = plain.readInt32LE();
      if (logical.kind === 'date') return dateText(value - EPOCH_DAYS);
      return logical.kind === 'decimal' ? decimalText(BigInt(value), logical.scale) : String(value);
    }
    case 'int64': {
      const value = plain.readBigInt64LE();
      if (logical.kind === 'timestamp') return instantText(value, logical.utc);
      return logical.kind === 'decimal' ? decimalText(value, logical.scale) : String(value);
    }
    case 'float':
      return String(plain.readFloatLE());
    case 'double':
      return String(plain.readDoubleLE());
    case 'fixed': {
      const value = (plain.readBigInt64BE(0) << 64n) | plain.readBigUInt64BE(8);
      return logical.kind === 'decimal' ? decimalText(value, logical.scale) : String(value);
    }
    case 'bytes':
      return plain.toString('utf8');
  }
}
