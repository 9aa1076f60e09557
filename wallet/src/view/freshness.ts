/** How fresh the figures on the screen are, told honestly. */
import type { Wallet } from "./wallet";

/** The mirror has not seen the chain's head for this long: the chain is called quiet. */
const QUIET_S = 20;
/** A stream that reconnects within this time is not worth a banner. */
export const GRACE_MS = 4000;

export type Freshness = "live" | "connecting" | "offline" | "quiet";

/** Seconds since the chain's head was last seen: the gateway's age, and what has passed since we heard it. */
export function ageSeconds(wallet: Wallet, now: number): number {
  if (wallet.view === null) return 0;
  return Math.max(0, wallet.view.as_of.age_s + (now - wallet.heardAt) / 1000);
}

export function freshness(wallet: Wallet, now: number): Freshness {
  const sinceHeard = now - wallet.heardAt;
  if (wallet.stream !== "live") return sinceHeard > GRACE_MS ? "offline" : "connecting";
  return ageSeconds(wallet, now) > QUIET_S ? "quiet" : "live";
}
