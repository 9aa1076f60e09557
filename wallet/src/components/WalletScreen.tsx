import { useMemo, useState } from "react";
import { openGateway } from "../api/gateway";
import { useLocale } from "../i18n/locale";
import { useWallet } from "../view/useWallet";
import { balanceAt } from "../view/wallet";
import { Announcer } from "./Announcer";
import { BalanceCard } from "./BalanceCard";
import { ExchangeSheet } from "./ExchangeSheet";
import { FreshnessLine, StaleBanner } from "./FreshnessLine";
import { Header } from "./Header";
import { History } from "./History";
import { HoldSheet } from "./HoldSheet";
import { Notice } from "./Notice";

interface Task {
  sheet: "exchange" | "redeem";
  brand: string;
}

/** A member's wallet: balances, history, and the two things one does with points. */
export function WalletScreen({ token, refused }: { token: string; refused(): void }) {
  const { messages } = useLocale();
  const gateway = useMemo(() => openGateway(token, refused), [token, refused]);
  const actions = useWallet(gateway, token, refused);
  const [task, setTask] = useState<Task | null>(null);
  const { wallet } = actions;
  const balances = wallet.view?.balances;
  const balance = task === null ? undefined : balanceAt(wallet, task.brand);

  if (actions.isUnreachable) {
    return (
      <Notice title={messages.firstLoadTitle} text={messages.firstLoadText}>
        <button type="button" className="button button-full" onClick={actions.refresh}>
          {messages.tryAgain}
        </button>
      </Notice>
    );
  }
  return (
    <>
      <a className="skip" href="#points">
        {messages.skip}
      </a>
      <Header />
      <main id="points" tabIndex={-1}>
        <div className="title">
          <h1>{messages.title}</h1>
          <FreshnessLine wallet={wallet} />
        </div>
        <div className="columns">
          <section className="balances" aria-labelledby="balances">
            <h2 id="balances" className="visually-hidden">
              {messages.balances}
            </h2>
            {balances === undefined && <div className="card card-wait" role="status" aria-label={messages.loading} />}
            {balances?.length === 0 && <p className="quiet">{messages.noBalances}</p>}
            {balances?.map((one) => (
              <BalanceCard
                key={one.brand.slug}
                balance={one}
                onExchange={() => setTask({ sheet: "exchange", brand: one.brand.slug })}
                onRedeem={() => setTask({ sheet: "redeem", brand: one.brand.slug })}
              />
            ))}
          </section>
          <History actions={actions} gateway={gateway} />
        </div>
      </main>
      <Announcer wallet={wallet} />
      {balances !== undefined && <StaleBanner wallet={wallet} />}
      {balance !== undefined && task?.sheet === "exchange" && (
        <ExchangeSheet balance={balance} gateway={gateway} onClose={() => setTask(null)} />
      )}
      {balance !== undefined && task?.sheet === "redeem" && (
        <HoldSheet balance={balance} gateway={gateway} onClose={() => setTask(null)} />
      )}
    </>
  );
}
