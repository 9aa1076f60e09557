/**
 * Points as people read them. Amounts are strings of base units and stay integers
 * throughout (BigInt): a float never touches them.
 */

/** No amount longer than this many digits is read; uint256 has 78. */
const DIGITS_MAX = 78;
/** What stands where an amount cannot be read: never a number that might be believed. */
const UNREADABLE = "–";

export interface PointsText {
  sign: "" | "+" | "−";
  whole: string;
  fraction: string;
}

/** Base units of a text on the wire, or null when it is none: whoever shows it says so, and shows the rest. */
export function unitsOf(text: unknown): bigint | null {
  return typeof text === "string" && /^-?\d{1,78}$/.test(text) ? BigInt(text) : null;
}

/** The same where a sum needs a number: what cannot be read counts as nothing. */
export function unitsOrNone(text: unknown): bigint {
  return unitsOf(text) ?? 0n;
}

/** The parts of an amount, so that a screen may set the fraction smaller than the whole. */
export function splitPoints(base: string, decimals: number, locale: string, signed = false): PointsText {
  const units = unitsOf(base);
  const isScale = Number.isInteger(decimals) && decimals >= 0 && decimals <= DIGITS_MAX;
  if (units === null || !isScale) return { sign: "", whole: UNREADABLE, fraction: "" };
  const size = units < 0n ? -units : units;
  const scale = 10n ** BigInt(decimals);
  const { integer, point } = marksOf(locale);
  const rest = decimals === 0 ? "" : (size % scale).toString().padStart(decimals, "0");
  const sign = units < 0n ? "−" : signed && units > 0n ? "+" : "";
  return { sign, whole: integer.format(size / scale), fraction: rest === "" ? "" : point + rest };
}

/** An amount as one text: "1,250.00", "+44.00", "−3.10". */
export function formatPoints(base: string, decimals: number, locale: string, signed = false): string {
  const { sign, whole, fraction } = splitPoints(base, decimals, locale, signed);
  return sign + whole + fraction;
}

/** What a member typed: base units, or which of the two it is not. */
export type Typed = { points: string } | { wrong: "malformed" | "ambiguous" };

/**
 * Base units of what a member typed, by the marks of the member's language ("1,250.5" → "125050"). Marks between
 * thousands must stand where that language puts them: "12,50" is not twelve hundred and fifty, it is refused. What
 * could be read both ways is refused too. Empty, negative, no number, or finer than the brand's decimals: malformed.
 * Never rounds.
 */
export function readPoints(text: string, decimals: number, locale: string): Typed {
  // Full-width digits and marks, as Korean keyboards type them, are the same digits.
  const plain = text.normalize("NFKC").replace(/[\s’']/gu, "");
  if (!/^[\d.,]+$/.test(plain) || plain.length > DIGITS_MAX) return { wrong: "malformed" };
  const { point, group } = marksOf(locale);
  const cut = plain.split(point);
  if (cut.length > 2) return { wrong: "malformed" };
  const [typed = "", fraction = ""] = cut;
  if (fraction.includes(group)) return { wrong: "ambiguous" };
  if (typed.includes(group)) {
    if (!isGrouped(typed, group)) return { wrong: "ambiguous" };
    // "1,250" of points with three decimals or more: a thousand, or one and a quarter?
    if (cut.length === 1 && typed.split(group).length === 2 && decimals >= 3) return { wrong: "ambiguous" };
  }
  const whole = typed.replaceAll(group, "");
  if (whole + fraction === "" || fraction.length > decimals) return { wrong: "malformed" };
  return { points: BigInt(whole + fraction.padEnd(decimals, "0")).toString() };
}

/** Whether thousands are marked as they should be: one to three digits, no nought first, then threes. */
function isGrouped(typed: string, group: string): boolean {
  const [first = "", ...threes] = typed.split(group);
  return /^[1-9]\d{0,2}$/.test(first) && threes.every((three) => /^\d{3}$/.test(three));
}

/** What to put into an input for an amount, with the mark that is read back: no grouping, no needless zeros. */
export function inputPoints(base: string, decimals: number, locale: string): string {
  const units = unitsOf(base);
  if (units === null) return "";
  const digits = units.toString().padStart(decimals + 1, "0");
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  const whole = digits.slice(0, digits.length - decimals);
  return decimals === 0 || fraction === "" ? whole : whole + marksOf(locale).point + fraction;
}

interface Marks {
  integer: Intl.NumberFormat;
  point: string;
  group: string;
}

const known = new Map<string, Marks>();

/** How a language writes numbers; asked once, because a formatter costs more than what it formats. */
function marksOf(locale: string): Marks {
  const found = known.get(locale);
  if (found !== undefined) return found;
  const integer = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, numberingSystem: "latn" });
  const parts = new Intl.NumberFormat(locale, { numberingSystem: "latn" }).formatToParts(1234567.5);
  const mark = (type: string, fallback: string) => parts.find((part) => part.type === type)?.value ?? fallback;
  const point = mark("decimal", ".");
  const marks = { integer, point, group: mark("group", point === "," ? "." : ",") };
  known.set(locale, marks);
  return marks;
}

/** A whole number by the language: "7,041". */
export function formatCount(count: number, locale: string): string {
  return marksOf(locale).integer.format(count);
}
