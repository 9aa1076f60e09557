import { useState } from "react";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { Fault } from "../ui/Fault";
import { BalanceCard } from "./BalanceCard";

/** More brands than this are shown as one line each, opened one by one: the history stays near. */
const WHOLE_MAX = 2;

interface BalanceListProps {
  /** Undefined until they were read once. */
  balances: readonly Balance[] | undefined;
  freeOf(balance: Balance): string;
  onExchange(brand: string): void;
  onRedeem(brand: string): void;
}

/** The points of each brand. */
export function BalanceList({ balances, freeOf, onExchange, onRedeem }: BalanceListProps) {
  const { messages } = useLocale();
  const [opened, setOpened] = useState<string | null>(null);
  const isFolded = (balances?.length ?? 0) > WHOLE_MAX;
  return (
    <section className="balances" aria-labelledby="balances" data-folded={isFolded}>
      <h2 id="balances" className="visually-hidden">
        {messages.balances}
      </h2>
      {balances === undefined && <div className="card card-wait" role="status" aria-label={messages.loading} />}
      {balances?.length === 0 && <p className="quiet">{messages.noBalances}</p>}
      {balances?.map((balance) => {
        const { slug, name } = balance.brand;
        return (
          <Fault key={slug} instead={<p className="quiet">{messages.brandBroken(name)}</p>}>
            <BalanceCard
              balance={balance}
              free={freeOf(balance)}
              fold={isFolded ? { isOpen: opened === slug, toggle: () => setOpened(opened === slug ? null : slug) } : null}
              onExchange={() => onExchange(slug)}
              onRedeem={() => onRedeem(slug)}
            />
          </Fault>
        );
      })}
    </section>
  );
}
