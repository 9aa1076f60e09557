import { useEffect, useMemo, useState } from "react";
import { openGateway } from "../api/gateway";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { isOpen, type Request } from "../intentions/intention";
import { free } from "../intentions/reserved";
import { openStore } from "../intentions/store";
import { Sheet } from "../ui/Sheet";
import { brandNamed } from "../view/brands";
import { useDesk } from "../view/useDesk";
import { useHolds } from "../view/useHolds";
import { useWallet } from "../view/useWallet";
import { balanceAt } from "../view/wallet";
import { Announcer } from "./Announcer";
import { BalanceList } from "./BalanceList";
import { EntrySheet } from "./EntryDetail";
import { ExchangeForm } from "./ExchangeForm";
import { FreshnessLine, StaleBanner } from "./FreshnessLine";
import { Header } from "./Header";
import { History } from "./History";
import { HoldForm } from "./HoldForm";
import { HoldList } from "./HoldList";
import { HoldView } from "./HoldView";
import { IntentionView } from "./IntentionView";
import { Notice } from "./Notice";

/** What lies over the page. */
type Task =
  | { what: "redeem" | "exchange"; brand: string }
  | { what: "wish"; key: string }
  | { what: "hold"; id: string }
  | { what: "entry"; id: string };

const store = openStore();

/** A member's wallet: balances, what is set aside, history, and the things one does with points. */
export function WalletScreen({ token, refused }: { token: string; refused(): void }) {
  const { messages } = useLocale();
  const gateway = useMemo(() => openGateway(token, refused), [token, refused]);
  const actions = useWallet(gateway, token, store, refused);
  const { wallet, refresh } = actions;
  const view = wallet.view;
  const { holds, look } = useHolds(gateway, token, store, view?.balances);
  const { desk, intentions } = useDesk(gateway, store, view?.member.id, () => {
    refresh();
    look();
  });
  // Figures that changed may be the end of something that is not known yet.
  useEffect(() => void desk?.ask(), [desk, view?.balances]);
  const [task, setTask] = useState<Task | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const balances = view?.balances ?? NONE;
  const block = view?.as_of.block_number ?? 0;
  const freeOf = (balance: Balance) => free(balance, intentions, block);

  const start = (next: Task | null) => {
    setTrouble(null);
    setTask(next);
  };
  const want = (request: Request) => {
    if (desk === null) return;
    desk.begin(request).then(
      (key) => start({ what: "wish", key }),
      () => setTrouble(messages.errorNotKept),
    );
  };

  if (actions.isUnreachable) {
    return (
      <Notice title={messages.firstLoadTitle} text={messages.firstLoadText}>
        <button type="button" className="button button-full" onClick={refresh}>
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
          <div className="side">
            <BalanceList
              balances={view?.balances}
              freeOf={freeOf}
              onExchange={(brand) => start({ what: "exchange", brand })}
              onRedeem={(brand) => start({ what: "redeem", brand })}
            />
            {holds !== null && (
              <HoldList
                holds={holds}
                balances={balances}
                intentions={intentions}
                gateway={gateway}
                onShow={(id) => start({ what: "hold", id })}
              />
            )}
          </div>
          <History
            actions={actions}
            intentions={intentions}
            desk={desk}
            gateway={gateway}
            onShowEntry={(id) => start({ what: "entry", id })}
            onShowWish={(key) => start({ what: "wish", key })}
          />
        </div>
      </main>
      <Announcer wallet={wallet} />
      {view !== null && <StaleBanner wallet={wallet} />}
      {task !== null && (
        <Sheet title={titleOf(task)} onClose={() => start(null)}>
          {contentOf(task)}
        </Sheet>
      )}
    </>
  );

  function titleOf(task: Task): string {
    switch (task.what) {
      case "redeem":
        return messages.redeemTitle(brandNamed(task.brand, balances).name);
      case "exchange":
        return messages.exchangeTitle(brandNamed(task.brand, balances).name);
      case "hold":
        return messages.holdTitle;
      case "entry":
        return messages.entryTitle;
      case "wish": {
        const what = intentions.find((one) => one.key === task.key)?.request.what ?? "hold";
        return messages.wishTitles[what];
      }
    }
  }

  function contentOf(task: Task) {
    const close = () => start(null);
    if (task.what === "entry") {
      return <EntrySheet id={task.id} balances={balances} gateway={gateway} onShow={(id) => start({ what: "entry", id })} />;
    }
    if (task.what === "hold") return holdOf(task.id);
    if (task.what === "wish") {
      const intention = intentions.find((one) => one.key === task.key);
      if (intention === undefined) return null;
      // What was placed is shown with its code, as soon as it is known.
      const { request, state, hold } = intention;
      if (request.what === "hold" && state === "confirmed" && hold !== null) return holdOf(hold);
      return <IntentionView key={task.key} intention={intention} balances={balances} desk={desk} onClose={close} />;
    }
    // Nothing new is offered while it is not known what became of the last.
    const before = intentions.find(isOpen);
    if (before !== undefined) {
      return <IntentionView intention={before} balances={balances} desk={desk} isInTheWay onClose={close} />;
    }
    const balance = balanceAt(wallet, task.brand);
    if (balance === undefined) return null;
    if (task.what === "redeem") return <HoldForm balance={balance} free={freeOf(balance)} trouble={trouble} onWant={want} />;
    return <ExchangeForm balance={balance} free={freeOf(balance)} gateway={gateway} trouble={trouble} onWant={want} />;
  }

  function holdOf(id: string) {
    const hold = holds?.find((one) => one.id === id);
    if (hold === undefined) return <p className="quiet" role="status">{messages.loading}</p>;
    return (
      <HoldView hold={hold} balances={balances} intentions={intentions} gateway={gateway} onWant={want} onClose={() => start(null)} />
    );
  }
}

const NONE: Balance[] = [];
