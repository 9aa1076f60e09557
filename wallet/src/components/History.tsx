import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type CSSProperties } from "react";
import type { Gateway } from "../api/gateway";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { periodText } from "../i18n/moment";
import type { Desk } from "../intentions/desk";
import type { Intention } from "../intentions/intention";
import { formatPoints, unitsOrNone } from "../money/points";
import { Amount } from "../ui/Amount";
import { Fault } from "../ui/Fault";
import { Icon } from "../ui/Icon";
import { brandColour } from "../view/colour";
import { rowsOf, sumOf, type Row } from "../view/rows";
import type { WalletActions } from "../view/useWallet";
import { EntryRow } from "./EntryRow";
import { WishRow } from "./WishRow";

interface HistoryProps {
  actions: WalletActions;
  intentions: readonly Intention[];
  desk: Desk | null;
  gateway: Gateway;
  onShowEntry(entry: string): void;
  onShowWish(key: string): void;
}

const ROW_PX = 77;
/** So many lines are kept ready outside of what is seen. */
const OVERSCAN = 6;
/** Older lines are asked for when so few are left below. */
const AHEAD = 8;

/**
 * All lines, newest first, by period; of one brand when it is chosen. However many there are, only those near the
 * screen are on the page.
 */
export function History({ actions, intentions, desk, gateway, onShowEntry, onShowWish }: HistoryProps) {
  const { language, messages } = useLocale();
  const { wallet, moreState, more } = actions;
  const heading = useId();
  const { entries, cursor, arrived, brand } = wallet;
  const balances = wallet.view?.balances ?? NONE;
  const block = wallet.view?.as_of.block_number ?? 0;
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());

  const rows = useMemo(
    () =>
      rowsOf({
        entries: entries ?? [],
        balances,
        intentions,
        brand,
        block,
        periodOf: (entry) => periodText(entry.at, language, messages),
        wishesText: messages.underWay,
      }),
    [entries, balances, intentions, brand, block, language, messages],
  );
  const list = useRef<HTMLDivElement>(null);
  const top = useTopOf(list);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    getItemKey: useCallback((place: number) => rows[place]?.id ?? place, [rows]),
    overscan: OVERSCAN,
    scrollMargin: top,
  });
  const shown = virtual.getVirtualItems();
  const lowest = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (cursor !== null && moreState === "idle" && lowest >= rows.length - AHEAD) more();
  }, [cursor, moreState, lowest, rows.length, more]);

  const toggle = (id: string) =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });

  return (
    <section className="history" aria-labelledby={heading} data-listed={rows.length} data-whole={cursor === null && entries !== null}>
      <div className="history-head">
        <h2 id={heading}>{messages.history}</h2>
        <BrandFilter actions={actions} />
      </div>
      {entries === null && <div className="history-wait" role="status" aria-label={messages.loading} />}
      {entries !== null && rows.length === 0 && !wallet.isPassing && <p className="quiet">{messages.historyEmpty}</p>}
      <div ref={list} className="rows" role="list" style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ index, key, start }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              className="row"
              role="listitem"
              aria-setsize={cursor === null ? rows.length : -1}
              aria-posinset={index + 1}
              style={{ transform: `translateY(${start - top}px)` }}
            >
              {row.heading !== null && <h3>{row.heading}</h3>}
              <Fault instead={<p className="entry quiet">{messages.lineBroken}</p>}>{line(row)}</Fault>
            </div>
          );
        })}
      </div>
      {moreState === "failed" && (
        <p className="trouble" role="alert">
          {messages.errorQuote}
        </p>
      )}
      {cursor !== null && (
        <button type="button" className="button button-wide" disabled={moreState === "loading"} onClick={more}>
          {moreState === "loading" ? messages.moreLoading : messages.more}
        </button>
      )}
      {cursor === null && entries !== null && rows.length > 0 && <Sums rows={rows} balances={balances} brand={brand} />}
    </section>
  );

  function line(row: Row) {
    if (row.what === "wish") return <WishRow intention={row.intention} balances={balances} desk={desk} onShow={onShowWish} />;
    if (row.what === "ended") return <EndedRow balance={row.balance} />;
    const { entry } = row;
    return (
      <div
        className="entry"
        id={`entry-${entry.id}`}
        data-new={arrived.has(entry.id)}
        data-entry={entry.id}
        data-kind={entry.kind}
        data-brand={entry.brand.slug}
      >
        <EntryRow
          entry={entry}
          isOpen={open.has(entry.id)}
          balances={balances as Balance[]}
          gateway={gateway}
          onToggle={() => toggle(entry.id)}
          onShow={onShowEntry}
        />
      </div>
    );
  }
}

const NONE: Balance[] = [];

/** How far down the page a part begins, as it is laid out now. */
function useTopOf(part: React.RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      const box = part.current?.getBoundingClientRect();
      if (box !== undefined) setTop(Math.round(box.top + window.scrollY));
    };
    measure();
    // Cards above open and close, and the text may be made larger: either moves it.
    const watcher = new ResizeObserver(measure);
    watcher.observe(document.body);
    return () => watcher.disconnect();
  }, [part]);
  return top;
}

/** Points that ended at their second, before the chain has a line for it. */
function EndedRow({ balance }: { balance: Balance }) {
  const { messages } = useLocale();
  const { brand, decimals, expired } = balance;
  const { fill, ink } = brandColour(brand.colour);
  return (
    <div className="entry" data-kind="ended" data-brand={brand.slug}>
      <div className="entry-row">
        <span className="disc" style={{ "--fill": fill, "--ink": ink } as CSSProperties}>
          <Icon name="fade" />
        </span>
        <span className="entry-what">
          <span className="entry-kind">{messages.kinds["expire"]}</span>
          <span className="entry-sub">
            {brand.name} · {messages.justNow}
          </span>
        </span>
        <span className="entry-points" data-sign="minus">
          <Amount points={`-${expired}`} decimals={decimals} symbol={brand.symbol} signed />
          <span className="entry-state">{messages.endings.settling}</span>
        </span>
      </div>
    </div>
  );
}

/** What all lines of each brand make up: the balance, to the last unit. */
function Sums({ rows, balances, brand }: { rows: readonly Row[]; balances: readonly Balance[]; brand: string | null }) {
  const { language, messages } = useLocale();
  const shown = balances.filter((balance) => brand === null || balance.brand.slug === brand);
  return (
    <ul className="sums">
      {shown.map(({ brand, decimals, spendable, held }) => {
        const text = (units: bigint) => `${formatPoints(units.toString(), decimals, language)} ${brand.symbol}`;
        return (
          <li key={brand.slug} data-brand={brand.slug} data-sum={sumOf(rows, brand.slug).toString()}>
            {messages.sum(brand.name, text(sumOf(rows, brand.slug)), text(unitsOrNone(spendable)), text(unitsOrNone(held)))}
          </li>
        );
      })}
    </ul>
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

