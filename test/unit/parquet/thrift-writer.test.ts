import { expect, test } from 'vitest';
import { ThriftWriter } from '../../../src/parquet/thrift-writer.ts';

function written(write: (writer: ThriftWriter) => void): string {
  const writer = new ThriftWriter(1);
  write(writer);
  return writer.bytes().toString('hex');
}

test('a field is its distance from the last id, its type and its value', () => {
  expect(written((w) => w.i32(1, 1))).toBe('1502');
  expect(
    written((w) => {
      w.i32(2, -1);
      w.i64(9, 300);
    }),
  ).toBe('250176d804');
});

test('numbers are zigzag varints, exact up to 2^52', () => {
  expect(written((w) => w.integer(0))).toBe('00');
  expect(written((w) => w.integer(-1))).toBe('01');
  expect(written((w) => w.integer(63))).toBe('7e');
  expect(written((w) => w.integer(64))).toBe('8001');
  // 2^31 doubled needs 33 bits: a shift by 32 bits would lose it.
  expect(written((w) => w.integer(2 ** 31))).toBe('8080808010');
  expect(written((w) => w.integer(2 ** 52))).toBe('8080808080808010');
});

test('booleans live in the type, a byte is not a varint', () => {
  expect(written((w) => w.boolean(1, true))).toBe('11');
  expect(written((w) => w.boolean(1, false))).toBe('12');
  expect(written((w) => w.byte(1, 16))).toBe('1310');
  expect(written((w) => w.i16(7, 2))).toBe('7404');
});

test('strings and binaries have their length in bytes', () => {
  expect(written((w) => w.string(4, 'ž'))).toBe('4802c5be');
  expect(written((w) => w.binary(1, Buffer.of(0, 255)))).toBe('180200ff');
});

test('a list of 15 or more has its length behind its type', () => {
  expect(written((w) => w.list(1, 'i32', 14))).toBe('19e5');
  expect(written((w) => w.list(1, 'struct', 15))).toBe('19fc0f');
  expect(written((w) => w.list(1, 'binary', 1500))).toBe('19f8dc0b');
});

test('ids begin anew in a struct and go on behind it', () => {
  expect(
    written((w) => {
      w.struct(3);
      w.i32(1, 0);
      w.end();
      w.i32(4, 0);
      w.end();
    }),
  ).toBe('3c1500001500' + '00');
});

test('a reset writer starts at the first byte and the first id', () => {
  const writer = new ThriftWriter();
  writer.struct(5);
  writer.i32(3, 7);
  writer.reset();
  writer.i32(1, 1);
  expect(writer.bytes().toString('hex')).toBe('1502');
});
