/** Dates, times and ages in the member's language and time zone. A day is a day of the calendar there, not 24 hours. */
import type { Messages } from "./en";

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;
const UNREADABLE = "–";

/** Where the member is: the zone of the device, unless a test says another. */
export const HERE: string = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** "31 Dec 2026", "2026년 12월 31일". */
export function dateText(iso: string, language: string, zone: string = HERE): string {
  return told(iso, language, zone, { year: "numeric", month: language === "ko" ? "long" : "short", day: "numeric" });
}

/** "14:05". */
export function timeText(iso: string, language: string, zone: string = HERE): string {
  return told(iso, language, zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** The heading that an entry stands under: today, yesterday, or its month. */
export function periodText(iso: string, language: string, messages: Messages, now = new Date(), zone = HERE): string {
  const nearby = nearbyDay(iso, now, zone);
  return nearby !== null ? messages[nearby] : told(iso, language, zone, { year: "numeric", month: "long" });
}

/** When, beside that heading: "14:05" today and yesterday, "12 Nov" before. */
export function momentText(iso: string, language: string, now = new Date(), zone = HERE): string {
  if (nearbyDay(iso, now, zone) !== null) return timeText(iso, language, zone);
  return told(iso, language, zone, { month: language === "ko" ? "long" : "short", day: "numeric" });
}

/** Whether two moments lie on one day of the calendar there. */
export function isSameDay(one: string, other: string, zone: string = HERE): boolean {
  return dayNumber(new Date(one), zone) === dayNumber(new Date(other), zone);
}

function nearbyDay(iso: string, now: Date, zone: string): "today" | "yesterday" | null {
  const days = dayNumber(now, zone) - dayNumber(new Date(iso), zone);
  return days === 0 ? "today" : days === 1 ? "yesterday" : null;
}

/** The calendar's days since 1970 at a place, however long each of them was. NaN for no moment. */
function dayNumber(at: Date, zone: string): number {
  if (Number.isNaN(at.getTime())) return Number.NaN;
  const parts = formatter("en", zone, { year: "numeric", month: "numeric", day: "numeric" }).formatToParts(at);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day")) / (DAY_S * 1000);
}

function told(iso: string, language: string, zone: string, shape: Intl.DateTimeFormatOptions): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? UNREADABLE : formatter(language, zone, shape).format(at);
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Each formatter is made once: a history asks for thousands of dates. */
function formatter(language: string, zone: string, shape: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = `${language}/${zone}/${JSON.stringify(shape)}`;
  const found = formatters.get(name);
  if (found !== undefined) return found;
  const made = new Intl.DateTimeFormat(dateLocale(language), { ...shape, timeZone: zone });
  formatters.set(name, made);
  return made;
}

/** "2 s ago". `age` in seconds; a negative one counts as none. */
export function ageText(age: number, messages: Messages): string {
  if (!(age >= 1)) return messages.justNow;
  if (age < MINUTE_S) return messages.secondsAgo(Math.floor(age));
  if (age < HOUR_S) return messages.minutesAgo(Math.floor(age / MINUTE_S));
  if (age < 2 * DAY_S) return messages.hoursAgo(Math.floor(age / HOUR_S));
  return messages.daysAgo(Math.floor(age / DAY_S));
}

/** "0:42" for a countdown, "2:00:05" for a long one. */
export function leftText(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (count: number) => count.toString().padStart(2, "0");
  const [hours, minutes] = [Math.floor(left / HOUR_S), Math.floor(left / MINUTE_S)];
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** British order, day before month, reads the same to everyone who reads English. */
function dateLocale(language: string): string {
  return language === "en" ? "en-GB" : language;
}
