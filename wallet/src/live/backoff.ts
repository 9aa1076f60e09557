/** How long to wait before the next attempt: twice as long each time, capped, spread by chance. */

const FIRST_MS = 500;
const CAP_MS = 15_000;

/** `attempt` counts failures since the last success, from 0. `chance` is in [0, 1). */
export function backoffMs(attempt: number, chance: number = Math.random()): number {
  const full = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  // Half fixed, half chance: a thousand wallets do not come back in the same instant.
  return Math.round(full / 2 + (full / 2) * chance);
}
