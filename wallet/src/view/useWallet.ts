/** Keeps the wallet's knowledge fresh: first reads, then the stream, then pages as they are asked for. */
import { useCallback, useEffect, useReducer, useState } from "react";
import type { Gateway } from "../api/gateway";
import { Refusal } from "../api/problem";
import type { AsOf, Entry, MemberView } from "../api/types";
import { backoffMs } from "../stream/backoff";
import type { Frame } from "../stream/frames";
import { openStream } from "../stream/stream";
import { EMPTY, learn, type Wallet } from "./wallet";

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

export function useWallet(gateway: Gateway, token: string, refused: () => void): WalletActions {
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

  // Until there is something to show, the first read is tried again by itself.
  useEffect(() => {
    if (failures === 0 || wallet.view !== null) return;
    const timer = setTimeout(refresh, backoffMs(failures));
    return () => clearTimeout(timer);
  }, [failures, wallet.view, refresh]);

  // A quiet stream says nothing of the chain's head: after a while the wallet asks for itself.
  const { heardAt } = wallet;
  useEffect(() => {
    const timer = setInterval(refresh, LOOK_MS);
    return () => clearInterval(timer);
  }, [refresh, heardAt]);

  useEffect(() => {
    const onFrame = (frame: Frame) => {
      const now = performance.now();
      if (frame.event === "view") tell({ fact: "view", view: JSON.parse(frame.data) as MemberView, now });
      else if (frame.event === "entry") tell({ fact: "entry", entry: JSON.parse(frame.data) as Entry });
      else if (frame.event === "reset") tell({ fact: "reset" });
      else if (frame.event === "block") tell({ fact: "block", as_of: JSON.parse(frame.data) as AsOf, now });
    };
    return openStream({
      url: STREAM_ADDRESS,
      token,
      onFrame,
      onState: (state) => tell({ fact: "stream", state }),
      onRefused: refused,
    });
  }, [token, refused]);

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
