/** Which builder a column gets: by the form of its bytes and its type in the lake. */

import type { Wire } from '../../model/column-type.ts';
import type { LakeType } from '../../model/lake-type.ts';
import { BytesBuilder, CheckedTextBuilder, MarkedJsonBuilder, UuidBuilder } from './bytes.ts';
import type { ColumnBuilder, Unfit } from './column-builder.ts';
import {
  BooleanBuilder,
  Int16Builder,
  Int32Builder,
  Int64Builder,
  WidenedDoubleBuilder,
  WidenedInt64Builder,
} from './fixed.ts';
import { ListBuilder } from './list.ts';
import { DecimalBuilder } from './numeric.ts';
import { DateBuilder, TimeBuilder, TimestampBuilder } from './time.ts';

/** `trustText`: the server vouches for UTF-8 (every encoding but SQL_ASCII). */
export function makeBuilder(wire: Wire, lake: LakeType, trustText: boolean, unfit: Unfit): ColumnBuilder {
  if (typeof wire === 'object') {
    if (lake.kind !== 'array') throw new Error('an array on the wire needs a list in the lake');
    const { element } = lake;
    return new ListBuilder(wire.array, (nested) => makeBuilder(wire.array, element, trustText, nested), unfit);
  }
  switch (wire) {
    case 'bool':
      return new BooleanBuilder();
    case 'int2':
      return lake.kind === 'long' ? new WidenedInt64Builder('int16') : new Int16Builder();
    case 'int4':
      return lake.kind === 'long' ? new WidenedInt64Builder('int32') : new Int32Builder();
    case 'uint4':
      return new WidenedInt64Builder('uint32');
    case 'int8':
    case 'float8':
      return new Int64Builder();
    case 'float4':
      return lake.kind === 'double' ? new WidenedDoubleBuilder() : new Int32Builder();
    case 'numeric':
      if (lake.kind !== 'decimal') throw new Error('a numeric on the wire needs a decimal in the lake');
      return new DecimalBuilder(lake.precision, lake.scale, unfit);
    case 'date':
      return new DateBuilder(unfit);
    case 'timestamp':
    case 'timestamptz':
      return new TimestampBuilder(wire === 'timestamptz', unfit);
    case 'time':
    case 'timetz':
      return new TimeBuilder(wire === 'timetz');
    case 'uuid':
      return new UuidBuilder();
    case 'bytea':
      return new BytesBuilder();
    case 'jsonb':
      return trustText ? new BytesBuilder(1) : new CheckedTextBuilder(1, unfit);
    case 'marked-json':
      return new MarkedJsonBuilder(trustText, unfit);
    case 'text':
      return trustText ? new BytesBuilder() : new CheckedTextBuilder(0, unfit);
  }
}
