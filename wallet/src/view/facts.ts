/** What an entry says beside its amount, in plain lines: how it was worked out, what went where. */
import type { Balance, Entry } from "../api/types";
import type { Messages } from "../i18n/en";
import { dateText, timeText } from "../i18n/moment";
import { formatPoints, unitsOf, unitsOrNone } from "../money/points";
import { formulaText } from "./formula";

export type Line = [label: string, text: string];

export interface Reader {
  language: string;
  messages: Messages;
  /** For the symbols of the other brand's points. */
  balances: Balance[];
}

/** What an entry is called: an award by the activity of its rule where we have a word for it. */
export function kindText(entry: Entry, kinds: Messages["kinds"]): string {
  const activity = entry.kind === "award" ? entry.rule?.name : undefined;
  return kinds[activity ?? ""] ?? kinds[entry.kind] ?? kinds["other"] ?? entry.kind;
}

/**
 * What the member owns more or less by an entry, held points and all: the rows of a brand make up its balance. Null when
 * the entry cannot be read.
 */
export function ownedChange(entry: Entry): bigint | null {
  const [points, held] = [unitsOf(entry.points), unitsOf(entry.held_delta)];
  return points === null || held === null ? null : points + held;
}

/** What a row shows large: what is owned more or less by it; of a move within what is owned, how much moved. */
export interface RowPoints {
  points: string;
  isMove: boolean;
}

export function rowPoints(entry: Entry): RowPoints {
  const change = ownedChange(entry);
  if (change === null) return { points: "", isMove: false };
  const moved = unitsOrNone(entry.held_delta);
  if (change === 0n && moved !== 0n) return { points: (moved < 0n ? -moved : moved).toString(), isMove: true };
  return { points: change.toString(), isMove: false };
}

/** All that is owned of a brand: to spend, on hold, and what ended so lately that its line is not here yet. */
export function owned(balance: Balance): bigint {
  return unitsOrNone(balance.spendable) + unitsOrNone(balance.held) + unitsOrNone(balance.expired);
}

export function entryLines(entry: Entry, reader: Reader): Line[] {
  const { language, messages } = reader;
  const { rule, reference } = entry;
  const when = whenText(entry.at, language);
  const formula = formulaText(rule, entry.decimals, language);
  const lines: (Line | null)[] = [
    formula === null ? null : [messages.formula, `${formula} → ${pointsText(entry.points, entry, language)}`],
    rule == null ? null : [messages.rule, messages.ruleVersion(messages.kinds[rule.name] ?? rule.name, `${rule.version}`)],
    ...exchangeLines(entry, reader),
    ...holdLines(entry, reader),
    ...expiryLines(entry, reader),
    ...returnLines(entry, reader),
    reference == null ? null : [entry.kind === "return" ? messages.goodsReturn : messages.order, reference],
    entry.occurred_at == null ? null : [messages.happened, whenText(entry.occurred_at, language)],
    [entry.occurred_at == null ? messages.time : messages.booked, when],
  ];
  return lines.filter((line) => line !== null);
}

function exchangeLines(entry: Entry, { language, messages, balances }: Reader): (Line | null)[] {
  if (!entry.kind.startsWith("exchange_")) return [];
  const line = (label: string, amount: string, token: string): Line | null => {
    const address = text(entry, token)?.toLowerCase();
    const balance = balances.find((one) => one.token.toLowerCase() === address);
    const points = units(entry, amount);
    return balance === undefined || points === null ? null : [label, pointsText(points, balance, language)];
  };
  return [
    line(messages.gave, "points_in", "from_token"),
    line(messages.received, "points_out", "to_token"),
    line(messages.quoteFee, "fee", "to_token"),
  ];
}

function holdLines(entry: Entry, { language, messages }: Reader): (Line | null)[] {
  const until = entry.kind === "hold" ? units(entry, "hold_until") : null;
  const ends = ["capture", "release", "timeout"].includes(entry.kind);
  const lapsed = units(entry, "lapsed");
  const isSplit = ends && entry.points !== "0" && ownedChange(entry) !== 0n;
  const line = (label: string, points: bigint | string): Line => [label, pointsText(points.toString(), entry, language)];
  return [
    until === null ? null : [messages.holdUntil, momentOf(until, language)],
    entry.kind === "hold" ? [messages.moveLabel, messages.moveToHold] : null,
    isSplit ? line(messages.fromHold, -unitsOrNone(entry.held_delta)) : null,
    isSplit ? line(messages.returned, entry.points) : null,
    lapsed === null || lapsed === "0" ? null : line(messages.lapsed, lapsed),
  ];
}

function expiryLines(entry: Entry, { language, messages }: Reader): (Line | null)[] {
  const ended = entry.kind === "expire" ? units(entry, "expires_at") : null;
  return [ended === null ? null : [messages.ended, momentOf(ended, language)]];
}

const DAY_S = 86_400;

/** Of a return what was spent by then; of an award how long its goods may come back. */
function returnLines(entry: Entry, { language, messages }: Reader): (Line | null)[] {
  const line = (label: string, name: string): Line | null => {
    const points = entry.kind === "return" ? units(entry, name) : null;
    return points === null || points === "0" ? null : [label, pointsText(points, entry, language)];
  };
  const window = entry.kind === "award" ? (entry.rule?.return_window_s ?? 0) : 0;
  const days = new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(window / DAY_S);
  return [
    line(messages.owedInstead, "owed"),
    line(messages.forgivenInstead, "forgiven"),
    window === 0 ? null : [messages.returnsTaken, messages.returnDays(days, entry.rule?.shortfall === "debt")],
  ];
}

function whenText(iso: string, language: string): string {
  return `${dateText(iso, language)}, ${timeText(iso, language)}`;
}

function momentOf(seconds: string, language: string): string {
  const at = new Date(Number(seconds) * 1000);
  return Number.isNaN(at.getTime()) ? "–" : whenText(at.toISOString(), language);
}

function pointsText(points: string, of: Entry | Balance, language: string): string {
  return `${formatPoints(points, of.decimals, language)} ${of.brand.symbol}`;
}

/** The chain's own detail is open in shape: only what is a whole number, or a text, is read from it. */
function units(entry: Entry, name: string): string | null {
  const value = text(entry, name);
  return value !== null && /^\d{1,78}$/.test(value) ? value : null;
}

function text(entry: Entry, name: string): string | null {
  const value = entry.detail[name];
  return typeof value === "string" ? value : null;
}
