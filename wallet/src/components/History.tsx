import { useId, useMemo } from "react";
import type { Gateway } from "../api/gateway";
import type { Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { periodText } from "../i18n/moment";
import type { WalletActions } from "../view/useWallet";
import { EntryRow } from "./EntryRow";

interface HistoryProps {
  actions: WalletActions;
  gateway: Gateway;
}

/** All entries, newest first, by period; of one brand when it is chosen. */
export function History({ actions, gateway }: HistoryProps) {
  const { language, messages } = useLocale();
  const { wallet, moreState, more } = actions;
  const heading = useId();
  const { entries, cursor, arrived } = wallet;
  const balances = wallet.view?.balances ?? [];
  const listed = useMemo(() => new Map(entries?.map((entry) => [entry.id, entry])), [entries]);
  return (
    <section className="history" aria-labelledby={heading}>
      <div className="history-head">
        <h2 id={heading}>{messages.history}</h2>
        <BrandFilter actions={actions} />
      </div>
      {entries === null && <div className="history-wait" role="status" aria-label={messages.loading} />}
      {entries?.length === 0 && !wallet.isPassing && <p className="quiet">{messages.historyEmpty}</p>}
      {byPeriod(entries ?? [], (entry) => periodText(entry.at, language, messages)).map(([period, ofPeriod]) => (
        <section key={period} className="period">
          <h3>{period}</h3>
          <ol>
            {ofPeriod.map((entry) => (
              <EntryRow
                key={entry.id}
                entry={entry}
                isNew={arrived.has(entry.id)}
                listed={listed}
                balances={balances}
                gateway={gateway}
              />
            ))}
          </ol>
        </section>
      ))}
      {moreState === "failed" && <p className="trouble" role="alert">{messages.errorUnknown}</p>}
      {cursor !== null && (
        <button type="button" className="button button-wide" disabled={moreState === "loading"} onClick={more}>
          {moreState === "loading" ? messages.moreLoading : messages.more}
        </button>
      )}
    </section>
  );
}

function BrandFilter({ actions: { wallet, show } }: { actions: WalletActions }) {
  const { messages } = useLocale();
  const brands = wallet.view?.balances.map((balance) => balance.brand) ?? [];
  if (brands.length < 2) return null;
  const choices = [{ slug: null, name: messages.all }, ...brands];
  return (
    <div className="filter" role="group" aria-label={messages.filter}>
      {choices.map(({ slug, name }) => (
        <button key={slug ?? ""} type="button" aria-pressed={wallet.brand === slug} onClick={() => show(slug)}>
          {name}
        </button>
      ))}
    </div>
  );
}

function byPeriod(entries: Entry[], periodOf: (entry: Entry) => string): [period: string, entries: Entry[]][] {
  const periods = new Map<string, Entry[]>();
  for (const entry of entries) {
    const period = periodOf(entry);
    const known = periods.get(period);
    if (known === undefined) periods.set(period, [entry]);
    else known.push(entry);
  }
  return [...periods];
}
