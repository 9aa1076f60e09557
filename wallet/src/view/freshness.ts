/** How fresh the figures on the screen are, told honestly. */
import type { Wallet } from "./wallet";

/** The mirror has not seen the chain's head for this long: the chain is called quiet. */
const QUIET_S = 20;
/** A stream that reconnects within this time is not worth a banner. */
export const GRACE_MS = 4000;

/** The gateway says something every five seconds; when it has been still for longer, it does not answer. */
const SILENT_MS = 8_000;

export type Freshness = "live" | "connecting" | "offline" | "silent" | "quiet";

/** Seconds since the chain's head was last seen: the gateway's age, and what has passed since we heard it. */
export function ageSeconds(wallet: Wallet, now: number): number {
  if (wallet.view === null) return 0;
  return Math.max(0, wallet.view.as_of.age_s + (now - wallet.heardAt) / 1000);
}

/** isOnline: the device says that it has a network. */
export function freshness(wallet: Wallet, now: number, isOnline = true): Freshness {
  const stillFor = now - wallet.pulseAt;
  // Of the chain nothing is known while nobody speaks: then it is not the chain that is blamed.
  if (stillFor > SILENT_MS) return isOnline ? "silent" : "offline";
  if (wallet.stream !== "live") return stillFor > GRACE_MS ? (isOnline ? "silent" : "offline") : "connecting";
  return ageSeconds(wallet, now) > QUIET_S ? "quiet" : "live";
}
