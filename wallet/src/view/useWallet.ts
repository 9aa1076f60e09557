/** Keeps the wallet's knowledge fresh: what the device remembers, first reads, then the stream, then pages as asked for. */
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import type { Gateway } from "../api/gateway";
import { Refusal } from "../api/problem";
import type { AsOf, Entry, MemberView } from "../api/types";
import type { Store } from "../intentions/store";
import { backoffMs } from "../live/backoff";
import type { Frame } from "../live/frames";
import { shareStream } from "../live/shared";
import { KNOWN_ENTRIES_MAX, sessionName } from "./known";
import { EMPTY, learn, type Fact, type Wallet } from "./wallet";

export interface WalletActions {
  wallet: Wallet;
  /** The first read failed: there is nothing to show yet. */
  isUnreachable: boolean;
  moreState: "idle" | "loading" | "failed";
  show(brand: string | null): void;
  more(): void;
  refresh(): void;
}

const STREAM_ADDRESS = "/v1/me/stream";
/** Asked after this long without news; well before the chain would be called quiet. */
const LOOK_MS = 10_000;
/** What is shown is remembered at most this often. */
const REMEMBER_MS = 1_500;

export function useWallet(gateway: Gateway, token: string, store: Store, refused: () => void): WalletActions {
  const [wallet, tell] = useReducer(learn, EMPTY);
  const [failures, setFailures] = useState(0);
  const [headFailures, setHeadFailures] = useState(0);
  const [moreState, setMoreState] = useState<WalletActions["moreState"]>("idle");
  const { brand, cursor, resets } = wallet;

  const refresh = useCallback(() => {
    gateway.view().then(
      (view) => tell({ fact: "view", view, now: performance.now() }),
      () => setFailures((count) => count + 1),
    );
  }, [gateway]);
  useEffect(refresh, [refresh]);

  useRemembered(wallet, token, store, tell);

  // Until somebody has said something, the first read is tried again by itself.
  const isFirst = wallet.view === null || wallet.isRemembered;
  useEffect(() => {
    if (failures === 0 || !isFirst) return;
    const timer = setTimeout(refresh, backoffMs(failures));
    return () => clearTimeout(timer);
  }, [failures, isFirst, refresh]);

  // A quiet stream says nothing of the chain's head: after a while the wallet asks for itself.
  const { heardAt } = wallet;
  useEffect(() => {
    const timer = setInterval(refresh, LOOK_MS);
    return () => clearInterval(timer);
  }, [refresh, heardAt]);

  const member = wallet.view?.member.id;
  useEffect(() => {
    if (member === undefined) return;
    const onFrame = (frame: Frame) => {
      const fact = factOf(frame);
      if (fact !== null) tell(fact);
    };
    return shareStream({
      url: STREAM_ADDRESS,
      token,
      member,
      onFrame,
      onState: (state) => tell({ fact: "stream", state, now: performance.now() }),
      onPulse: () => tell({ fact: "pulse", now: performance.now() }),
      onRefused: refused,
    });
  }, [token, member, refused]);

  // The newest page is read again whenever the balances are told anew: states move on, nothing is missed.
  const balances = wallet.view?.balances;
  const isLive = wallet.stream === "live";
  useEffect(() => {
    if (balances === undefined) return;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    gateway.entries(brand, null).then(
      (page) => {
        if (isOver) return;
        tell({ fact: "head", brand, page });
        setHeadFailures(0);
      },
      () => {
        if (!isOver) timer = setTimeout(() => setHeadFailures((count) => count + 1), backoffMs(headFailures));
      },
    );
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [gateway, brand, balances, isLive, headFailures, resets]);

  const more = useCallback(() => {
    if (cursor === null) return;
    setMoreState("loading");
    gateway.entries(brand, cursor).then(
      (page) => {
        tell({ fact: "more", brand, after: cursor, page });
        setMoreState("idle");
      },
      (trouble: unknown) => {
        // The gateway's history was numbered anew: what is shown is read again, and older pages follow from there.
        const isOver = trouble instanceof Refusal && trouble.error === "CursorExpired";
        if (isOver) tell({ fact: "reset" });
        setMoreState(isOver ? "idle" : "failed");
      },
    );
  }, [gateway, brand, cursor]);

  const show = useCallback((chosen: string | null) => {
    setMoreState("idle");
    tell({ fact: "brand", brand: chosen });
  }, []);

  return { wallet, isUnreachable: failures > 0 && wallet.view === null, moreState, show, more, refresh };
}

/** The fact that a frame tells; none when it cannot be read: one bad frame must not end the stream. */
function factOf({ event, data }: Frame): Fact | null {
  const now = performance.now();
  try {
    if (event === "view") return { fact: "view", view: JSON.parse(data) as MemberView, now };
    if (event === "entry") return { fact: "entry", entry: JSON.parse(data) as Entry };
    if (event === "block") return { fact: "block", as_of: JSON.parse(data) as AsOf, now };
  } catch {
    return null;
  }
  return event === "reset" ? { fact: "reset" } : null;
}

/** Remembers what is shown for when nobody can be asked, and shows what is remembered until somebody is. */
function useRemembered(wallet: Wallet, token: string, store: Store, tell: (fact: Fact) => void): void {
  useEffect(() => {
    let isOver = false;
    void sessionName(token)
      .then((session) => store.known(session))
      .then((known) => {
        if (known !== undefined && !isOver) tell({ fact: "known", known, now: performance.now(), wall: Date.now() });
      })
      // A browser that keeps nothing remembers nothing.
      .catch(() => undefined);
    return () => {
      isOver = true;
    };
  }, [token, store, tell]);

  const newest = useRef(wallet);
  newest.current = wallet;
  const { view, entries, brand, isRemembered } = wallet;
  useEffect(() => {
    if (view === null || entries === null || isRemembered || brand !== null) return;
    const timer = setTimeout(() => {
      const { view, entries, heardAt, brand } = newest.current;
      if (view === null || entries === null || brand !== null) return;
      const at = Date.now() - (performance.now() - heardAt);
      void sessionName(token)
        .then((session) => store.keep({ session, view, entries: entries.slice(0, KNOWN_ENTRIES_MAX), at }))
        .catch(() => undefined);
    }, REMEMBER_MS);
    return () => clearTimeout(timer);
  }, [view?.balances, entries, brand, isRemembered, token, store, view]);
}
