/**
 * Points as people read them. Amounts are strings of base units and stay integers
 * throughout (BigInt): a float never touches them.
 */

/** No amount longer than this many digits is read; uint256 has 78. */
const DIGITS_MAX = 78;

export interface PointsText {
  sign: "" | "+" | "−";
  whole: string;
  fraction: string;
}

/** The parts of an amount, so that a screen may set the fraction smaller than the whole. */
export function splitPoints(base: string, decimals: number, locale: string, signed = false): PointsText {
  const units = BigInt(base);
  const size = units < 0n ? -units : units;
  const scale = 10n ** BigInt(decimals);
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(size / scale);
  const rest = decimals === 0 ? "" : (size % scale).toString().padStart(decimals, "0");
  const sign = units < 0n ? "−" : signed && units > 0n ? "+" : "";
  return { sign, whole, fraction: rest === "" ? "" : decimalMark(locale) + rest };
}

/** An amount as one text: "1,250.00", "+44.00", "−3.10". */
export function formatPoints(base: string, decimals: number, locale: string, signed = false): string {
  const { sign, whole, fraction } = splitPoints(base, decimals, locale, signed);
  return sign + whole + fraction;
}

/**
 * Base units of what a member typed ("1,250.5" → "125050"), or null when it is no amount:
 * empty, negative, not a number, or finer than the brand's decimals allow. Never rounds.
 */
export function parsePoints(text: string, decimals: number): string | null {
  const plain = text.trim().replace(/[,\s]/g, "");
  const match = /^(\d*)(?:\.(\d*))?$/.exec(plain);
  if (!match || plain.length > DIGITS_MAX) return null;
  const [, whole = "", fraction = ""] = match;
  if (whole + fraction === "" || fraction.length > decimals) return null;
  return BigInt(whole + fraction.padEnd(decimals, "0")).toString();
}

/** What to put into an input for an amount: no grouping, no needless zeros. */
export function inputPoints(base: string, decimals: number): string {
  const { whole, fraction } = splitPoints(base, decimals, "en");
  const rest = fraction.replace(/\.?0+$/, "");
  return whole.replaceAll(",", "") + rest;
}

function decimalMark(locale: string): string {
  const parts = new Intl.NumberFormat(locale).formatToParts(1.5);
  return parts.find((part) => part.type === "decimal")?.value ?? ".";
}
