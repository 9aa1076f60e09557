/** Dates, times and ages in the member's language and time zone. */
import type { Messages } from "./en";

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** "31 Dec 2026", "2026년 12월 31일". */
export function dateText(iso: string, language: string): string {
  return new Intl.DateTimeFormat(dateLocale(language), {
    year: "numeric",
    month: language === "ko" ? "long" : "short",
    day: "numeric",
  }).format(new Date(iso));
}

/** "14:05". */
export function timeText(iso: string, language: string): string {
  return new Intl.DateTimeFormat(dateLocale(language), { hour: "2-digit", minute: "2-digit", hour12: false }).format(
    new Date(iso),
  );
}

/** The heading that an entry stands under: today, yesterday, or its month. */
export function periodText(iso: string, language: string, messages: Messages, now: Date = new Date()): string {
  const nearby = nearbyDay(iso, now);
  if (nearby !== null) return messages[nearby];
  return new Intl.DateTimeFormat(dateLocale(language), { year: "numeric", month: "long" }).format(new Date(iso));
}

/** When, beside that heading: "14:05" today and yesterday, "12 Nov" before. */
export function momentText(iso: string, language: string, now: Date = new Date()): string {
  if (nearbyDay(iso, now) !== null) return timeText(iso, language);
  const month = language === "ko" ? "long" : "short";
  return new Intl.DateTimeFormat(dateLocale(language), { month, day: "numeric" }).format(new Date(iso));
}

function nearbyDay(iso: string, now: Date): "today" | "yesterday" | null {
  const day = new Date(iso).toDateString();
  if (day === now.toDateString()) return "today";
  return day === new Date(now.getTime() - DAY_S * 1000).toDateString() ? "yesterday" : null;
}

/** "2 s ago". `age` in seconds; a negative one counts as none. */
export function ageText(age: number, messages: Messages): string {
  if (age < 1) return messages.justNow;
  if (age < MINUTE_S) return messages.secondsAgo(Math.floor(age));
  if (age < HOUR_S) return messages.minutesAgo(Math.floor(age / MINUTE_S));
  if (age < 2 * DAY_S) return messages.hoursAgo(Math.floor(age / HOUR_S));
  return messages.daysAgo(Math.floor(age / DAY_S));
}

/** "0:42" for a countdown. */
export function leftText(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / MINUTE_S)}:${(left % MINUTE_S).toString().padStart(2, "0")}`;
}

/** British order, day before month, reads the same to everyone who reads English. */
function dateLocale(language: string): string {
  return language === "en" ? "en-GB" : language;
}
