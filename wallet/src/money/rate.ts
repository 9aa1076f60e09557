/** Rates are fractions of integers; this writes them as decimals without a float. */
import { formatPoints, unitsOf } from "./points";

/** Digits after the point before a rate is cut and marked as approximate. */
const RATE_DIGITS_MAX = 6;

/** What a number is multiplied by, exactly: "× 1.5", "÷ 120", or "× 5 ÷ 6" when no decimal says it. */
export function formatFactor(numerator: bigint, denominator: bigint, locale: string): string {
  if (denominator === 0n) return "× –";
  const shared = gcd(numerator, denominator) || 1n;
  const [over, under] = [numerator / shared, denominator / shared];
  const decimal = formatRate(over.toString(), under.toString(), locale);
  const integer = { format: (count: bigint) => formatPoints(count.toString(), 0, locale) };
  if (over === 1n && under > 1n) return `÷ ${integer.format(under)}`;
  return decimal.startsWith("≈") ? `× ${integer.format(over)} ÷ ${integer.format(under)}` : `× ${decimal}`;
}

function gcd(one: bigint, other: bigint): bigint {
  while (other !== 0n) [one, other] = [other, one % other];
  return one;
}

/** A fraction as text: 3/2 → "1.5"; one that does not end in six digits → "≈ 0.333333". */
export function formatRate(numerator: string, denominator: string, locale: string): string {
  const [units, over] = [unitsOf(numerator), unitsOf(denominator)];
  if (units === null || over === null || over === 0n) return "–";
  const scale = 10n ** BigInt(RATE_DIGITS_MAX);
  const scaled = units * scale;
  const value = scaled / over;
  const whole = formatPoints((value / scale).toString(), 0, locale);
  const digits = (value % scale).toString().padStart(RATE_DIGITS_MAX, "0").replace(/0+$/, "");
  const text = digits === "" ? whole : `${whole}.${digits}`;
  return scaled % over === 0n ? text : `≈ ${text}`;
}
