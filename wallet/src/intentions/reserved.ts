/** What can be spent: never what is promised already, by whoever, wherever it stands on its way. */
import type { Balance } from "../api/types";
import { unitsOrNone } from "../money/points";
import type { Intention } from "./intention";

/**
 * Points of a balance that are on their way out. The gateway tells what it has taken up; what it may never have heard
 * of is counted beside it, and what it has just taken up until its view says so.
 */
export function promised(balance: Balance, intentions: readonly Intention[], block: number): bigint {
  let unheard = 0n;
  let taken = 0n;
  for (const { request, state, block: at, isSending } of intentions) {
    if (request.brand !== balance.brand.slug || request.what === "cancel") continue;
    const isOnItsWay = state === "settling" || isSending === true;
    if (!isOnItsWay && (state === "unknown" || state === "absent")) unheard += unitsOrNone(request.points);
    // Confirmed in a block that the view does not show yet: still spendable there.
    if (isOnItsWay || (state === "confirmed" && at !== null && at > block)) taken += unitsOrNone(request.points);
  }
  const told = unitsOrNone(balance.reserved);
  return unheard + (taken > told ? taken : told);
}

/** Points that can be promised to something new. */
export function free(balance: Balance, intentions: readonly Intention[], block: number): string {
  const left = unitsOrNone(balance.spendable) - promised(balance, intentions, block);
  return (left > 0n ? left : 0n).toString();
}
