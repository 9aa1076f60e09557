/** The member's holds, read again whenever what is held may be another amount. */
import { useCallback, useEffect, useState } from "react";
import type { Gateway } from "../api/gateway";
import type { Hold } from "../api/types";
import type { Store } from "../intentions/store";
import { sessionName } from "./known";

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
export function useHolds(gateway: Gateway, token: string, store: Store, news: unknown): Holds {
  const [holds, setHolds] = useState<readonly Hold[] | null>(null);
  const look = useCallback(() => {
    gateway.holds().then(
      (page) => {
        setHolds(page.holds);
        void sessionName(token)
          .then((session) => store.keepHolds(session, page.holds))
          .catch(() => undefined);
      },
      // What was read last stands; the next look comes by itself.
      () => undefined,
    );
  }, [gateway, token, store]);
  useEffect(look, [look, news]);
  // Until they were read, those that the device remembers.
  useEffect(() => {
    void sessionName(token)
      .then((session) => store.known(session))
      .then((known) => setHolds((read) => read ?? known?.holds ?? null))
      .catch(() => undefined);
  }, [token, store]);
  const isAnyOpen = holds?.some(isOpenHold) ?? false;
  useEffect(() => {
    if (!isAnyOpen) return;
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [isAnyOpen, look]);
  return { holds, look };
}
