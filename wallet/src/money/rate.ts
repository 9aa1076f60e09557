/** Rates are fractions of integers; this writes them as decimals without a float. */

/** Digits after the point before a rate is cut and marked as approximate. */
const RATE_DIGITS_MAX = 6;

/** A fraction as text: 3/2 → "1.5"; one that does not end in six digits → "≈ 0.333333". */
export function formatRate(numerator: string, denominator: string, locale: string): string {
  const over = BigInt(denominator);
  if (over === 0n) return "–";
  const scale = 10n ** BigInt(RATE_DIGITS_MAX);
  const scaled = BigInt(numerator) * scale;
  const value = scaled / over;
  const whole = new Intl.NumberFormat(locale).format(value / scale);
  const digits = (value % scale).toString().padStart(RATE_DIGITS_MAX, "0").replace(/0+$/, "");
  const text = digits === "" ? whole : `${whole}.${digits}`;
  return scaled % over === 0n ? text : `≈ ${text}`;
}
