import { useEffect, useRef, useState } from "react";
import { useLocale } from "../i18n/locale";
import { formatPoints } from "../money/points";
import { balanceAt, type Wallet } from "../view/wallet";

/** Tells a screen reader, politely, what has just arrived and what the member has now. */
export function Announcer({ wallet }: { wallet: Wallet }) {
  const { language, messages } = useLocale();
  const told = useRef<string | null>(null);
  const [text, setText] = useState("");
  const newest = wallet.entries?.find((entry) => wallet.arrived.has(entry.id));
  const balance = newest && balanceAt(wallet, newest.brand.slug);

  useEffect(() => {
    if (newest === undefined || balance === undefined || told.current === newest.id) return;
    told.current = newest.id;
    const { symbol, name } = newest.brand;
    const change = formatPoints(newest.points, newest.decimals, language, true);
    setText(messages.arrived(change, symbol, name, formatPoints(balance.spendable, balance.decimals, language)));
  }, [newest, balance, language, messages]);

  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {text}
    </p>
  );
}
