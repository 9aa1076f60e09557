/** Points that were earned and cannot be spent before their second: what the card says of them, day by day. */
import type { Balance } from "../api/types";
import { isSameDay } from "../i18n/moment";
import { unitsOrNone } from "../money/points";

export interface Day {
  points: string;
  /** The day's first moment at which points come. */
  until: string;
}

/** All of it, and on which days of the member's calendar it comes, the soonest first; null where nothing is on its way. */
export function onItsWay(balance: Balance, zone?: string): { points: string; days: Day[] } | null {
  // What a device remembers of before may say nothing of it.
  const days: Day[] = [];
  for (const { points, until } of balance.unlocking ?? []) {
    const last = days.at(-1);
    if (last !== undefined && isSameDay(last.until, until, zone)) {
      last.points = (unitsOrNone(last.points) + unitsOrNone(points)).toString();
    } else days.push({ points, until });
  }
  return unitsOrNone(balance.locked) > 0n && days.length > 0 ? { points: balance.locked, days } : null;
}
