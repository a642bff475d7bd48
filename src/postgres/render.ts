/** The text that Postgres prints for binary values, with its session set to ISO and UTC; for keys in errors, watermarks and shadow columns. */

/** Microseconds from 1970-01-01 to Postgres's epoch, 2000-01-01. */
export const EPOCH_MICROS = 946_684_800_000_000n;
/** Days between the same. */
export const EPOCH_DAYS = 10_957;

const DAY = 86_400_000_000n;
const INT64_MAX = 9_223_372_036_854_775_807n;
const INT64_MIN = -9_223_372_036_854_775_808n;
const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;

const two = (n: number | bigint) => String(n).padStart(2, '0');

/** Year (astronomical: 0 is 1 BC), month and day of a day since 1970-01-01. Proleptic Gregorian, as Postgres counts. */
function civil(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1,
  };
}

function dateParts(days: number): { text: string; bc: string } {
  const { year, month, day } = civil(days);
  const bc = year <= 0;
  return { text: `${String(bc ? 1 - year : year).padStart(4, '0')}-${two(month)}-${two(day)}`, bc: bc ? ' BC' : '' };
}

/** `wire`: days since 2000-01-01. */
export function dateText(wire: number): string {
  if (wire === INT32_MAX) return 'infinity';
  if (wire === INT32_MIN) return '-infinity';
  const { text, bc } = dateParts(wire + EPOCH_DAYS);
  return text + bc;
}

/** Microseconds of a day as `HH:MM:SS[.ffffff]`, without the zeros at the end, as Postgres prints times. */
function clockText(micros: bigint): string {
  const seconds = micros / 1_000_000n;
  const fraction = micros % 1_000_000n;
  const tail = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${tail}`;
}

/** `micros`: since 1970-01-01; with `+00` at the end for timestamptz. */
export function instantText(micros: bigint, utc: boolean): string {
  const days = micros >= 0n ? micros / DAY : -((-micros + DAY - 1n) / DAY);
  const { text, bc } = dateParts(Number(days));
  return `${text} ${clockText(micros - days * DAY)}${utc ? '+00' : ''}${bc}`;
}

/** `wire`: microseconds since 2000-01-01, or an infinity. */
export function timestampText(wire: bigint, utc: boolean): string {
  if (wire === INT64_MAX) return 'infinity';
  if (wire === INT64_MIN) return '-infinity';
  return instantText(wire + EPOCH_MICROS, utc);
}

/** `micros`: of the day; 24:00:00 is one. `west`: of a timetz, seconds west of UTC, as Postgres sends them. */
export function timeText(micros: bigint, west: number | null): string {
  return clockText(micros) + (west === null ? '' : zoneText(west));
}

/** `+HH[:MM[:SS]]`. */
export function zoneText(west: number): string {
  const seconds = Math.abs(west);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = seconds % 60;
  const tail = rest > 0 ? `:${two(minutes)}:${two(rest)}` : minutes > 0 ? `:${two(minutes)}` : '';
  return `${west > 0 ? '-' : '+'}${two(Math.floor(seconds / 3600))}${tail}`;
}

/** Digits before the exponent form begins: of printf's %g, for float4 and float8. */
const FIXED_DIGITS = { single: 6, double: 15 };

/** The shortest text that reads back as the same float4 (`single`) or float8. */
export function floatText(value: number, kind: 'single' | 'double'): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits, exponent] = shortest(value, kind).split('e');
  const power = Number(exponent);
  if (power < -4 || power >= FIXED_DIGITS[kind]) return `${digits}e${power < 0 ? '-' : '+'}${two(Math.abs(power))}`;
  const bare = digits.replace(/[-.]/g, '');
  const fixed =
    power < 0
      ? `0.${'0'.repeat(-power - 1)}${bare}`
      : bare.length <= power + 1
        ? bare.padEnd(power + 1, '0')
        : `${bare.slice(0, power + 1)}.${bare.slice(power + 1)}`;
  return value < 0 ? `-${fixed}` : fixed;
}

/** `d.ddde±x`. */
function shortest(value: number, kind: 'single' | 'double'): string {
  if (kind === 'double') return value.toExponential();
  let text = '';
  for (let digits = 0; digits < 9; digits++) {
    text = value.toExponential(digits);
    if (Math.fround(Number(text)) === value) break;
  }
  return text;
}

/** A numeric in its binary form (numeric_send: digits, weight, sign, display scale, base-10000 digits) at `at`. */
export function numericText(view: DataView, at: number): string {
  const digits = view.getInt16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  const scale = view.getUint16(at + 6);
  if (sign === 0xc000) return 'NaN';
  if (sign === 0xd000) return 'Infinity';
  if (sign === 0xf000) return '-Infinity';
  const group = (index: number) => (index >= 0 && index < digits ? view.getInt16(at + 8 + index * 2) : 0);
  let whole = weight < 0 ? '0' : '';
  for (let i = 0; i <= weight; i++) whole += i === 0 ? String(group(0)) : String(group(i)).padStart(4, '0');
  let fraction = '';
  for (let i = weight + 1; fraction.length < scale; i++) fraction += String(group(i)).padStart(4, '0');
  return `${sign === 0x4000 ? '-' : ''}${whole}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
}

/** A scaled integer as a decimal number: (12345n, 2) is `123.45`. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const sign = unscaled < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The inverse of instantText and of a plain date, for the years 1 to 9999: microseconds since 1970-01-01. */
export function parseInstant(text: string): bigint {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\+00)?)?$/.exec(text);
  if (!match) throw new Error(`not an instant: ${text}`);
  const [year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match.slice(1);
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const seconds = BigInt(date.getTime() / 1000) + BigInt(hour) * 3600n + BigInt(minute) * 60n + BigInt(second);
  return seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}
