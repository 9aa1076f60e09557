/** What an entry says beside its amount, in plain lines: how it was worked out, what went where. */
import type { Balance, Entry } from "../api/types";
import type { Messages } from "../i18n/en";
import { dateText, timeText } from "../i18n/moment";
import { formatPoints } from "../money/points";
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

/** The signed amount to show large: what the member owns more or less, hold and all, where a hold ends. */
export function mainPoints(entry: Entry): string {
  return entry.kind === "capture" ? (BigInt(entry.points) + BigInt(entry.held_delta)).toString() : entry.points;
}

export function entryLines(entry: Entry, reader: Reader): Line[] {
  const { language, messages } = reader;
  const { rule, reference } = entry;
  const when = `${dateText(entry.at, language)}, ${timeText(entry.at, language)}`;
  const formula = formulaText(rule, entry.decimals, language);
  const lines: (Line | null)[] = [
    formula === null ? null : [messages.formula, `${formula} → ${pointsText(entry.points, entry, language)}`],
    rule == null ? null : [messages.rule, messages.ruleVersion(messages.kinds[rule.name] ?? rule.name, `${rule.version}`)],
    ...exchangeLines(entry, reader),
    ...holdLines(entry, reader),
    ...expiryLines(entry, reader),
    reference == null ? null : [messages.order, reference],
    [messages.time, when],
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
  const isSplit = entry.kind === "capture" && entry.points !== "0";
  return [
    until === null ? null : [messages.holdUntil, momentOf(until, language)],
    isSplit ? [messages.fromHold, pointsText((-BigInt(entry.held_delta)).toString(), entry, language)] : null,
    isSplit ? [messages.returned, pointsText(entry.points, entry, language)] : null,
  ];
}

function expiryLines(entry: Entry, { language, messages }: Reader): (Line | null)[] {
  const ended = entry.kind === "expire" ? units(entry, "expires_at") : null;
  return [ended === null ? null : [messages.ended, momentOf(ended, language)]];
}

function momentOf(seconds: string, language: string): string {
  const iso = new Date(Number(seconds) * 1000).toISOString();
  return `${dateText(iso, language)}, ${timeText(iso, language)}`;
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
