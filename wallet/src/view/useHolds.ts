/** The member's holds, read again whenever what is held may be another amount. */
import { useCallback, useEffect, useState } from "react";
import type { Gateway } from "../api/gateway";
import type { Hold } from "../api/types";

/** While something is set aside a till may take it at any moment. */
const LOOK_MS = 5_000;

export interface Holds {
  /** Null until they were read once. */
  holds: readonly Hold[] | null;
  look(): void;
}

/** Whether a till may still take it. */
export function isOpenHold(hold: Hold): boolean {
  return hold.state === "held" || hold.state === "requested";
}

/** news: anything that changes when the figures do. */
export function useHolds(gateway: Gateway, news: unknown): Holds {
  const [holds, setHolds] = useState<readonly Hold[] | null>(null);
  const look = useCallback(() => {
    gateway.holds().then(
      (page) => setHolds(page.holds),
      // What was read last stands; the next look comes by itself.
      () => undefined,
    );
  }, [gateway]);
  useEffect(look, [look, news]);
  const isAnyOpen = holds?.some(isOpenHold) ?? false;
  useEffect(() => {
    if (!isAnyOpen) return;
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [isAnyOpen, look]);
  return { holds, look };
}
