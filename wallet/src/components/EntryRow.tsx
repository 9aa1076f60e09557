import { useId, type CSSProperties } from "react";
import type { Gateway } from "../api/gateway";
import type { Balance, Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText, isSameDay, momentText } from "../i18n/moment";
import { Amount } from "../ui/Amount";
import { Icon, type IconName } from "../ui/Icon";
import { brandColour } from "../view/colour";
import { kindText, rowPoints } from "../view/facts";
import { formulaText } from "../view/formula";
import { EntryDetail } from "./EntryDetail";

const ICONS: Record<string, IconName> = {
  hold: "hold",
  capture: "spend",
  release: "back",
  timeout: "back",
  refund: "back",
  expire: "fade",
  expire_undone: "back",
  exchange_in: "swap",
  exchange_out: "swap",
  unwind_in: "back",
  unwind_out: "back",
  pay: "spend",
  burn: "fade",
  return: "back",
  debt_paid: "fade",
  leave_out: "spend",
  transfer_out: "spend",
};

interface EntryRowProps {
  entry: Entry;
  isOpen: boolean;
  balances: Balance[];
  gateway: Gateway;
  onToggle(): void;
  /** Leads to another entry. */
  onShow(entry: string): void;
}

/** One line of the history; opened, it shows how it was worked out and where it is on the chain. */
export function EntryRow({ entry, isOpen, balances, gateway, onToggle, onShow }: EntryRowProps) {
  const { language, messages } = useLocale();
  const panel = useId();
  const { brand, decimals, occurred_at } = entry;
  const { fill, ink } = brandColour(brand.colour);
  const formula = formulaText(entry.rule, decimals, language);
  const { points, isMove } = rowPoints(entry);
  const sign = isMove ? "move" : points.startsWith("-") ? "minus" : points === "0" || points === "" ? "none" : "plus";
  // When it was bought, where that was another day than the chain's.
  const isLater = occurred_at != null && !isSameDay(occurred_at, entry.at);
  return (
    <>
      <button type="button" className="entry-row" aria-expanded={isOpen} aria-controls={panel} onClick={onToggle}>
        <span className="disc" style={{ "--fill": fill, "--ink": ink } as CSSProperties}>
          <Icon name={ICONS[entry.kind] ?? "earn"} />
        </span>
        <span className="entry-what">
          <span className="entry-kind">{kindText(entry, messages.kinds)}</span>
          <span className="entry-sub">
            <span className="entry-where">
              <span className="entry-brand">{brand.name}</span>
              <time dateTime={entry.at}>{momentText(entry.at, language)}</time>
            </span>
            {isLater && <span className="entry-more">{messages.happenedOn(dateText(occurred_at, language))}</span>}
            {formula !== null && <span className="entry-more">{formula}</span>}
          </span>
        </span>
        <span className="entry-points" data-sign={sign}>
          <Amount points={points} decimals={decimals} symbol={brand.symbol} signed={!isMove} />
          <span className="entry-state" data-state={entry.state}>
            {isMove ? messages.moved[entry.kind === "hold" ? "held" : "back"] : (messages.states[entry.state] ?? entry.state)}
          </span>
        </span>
        <Icon name="chevron" />
      </button>
      <div id={panel} className="entry-panel" hidden={!isOpen}>
        {isOpen && <EntryDetail entry={entry} balances={balances} gateway={gateway} onShow={onShow} />}
      </div>
    </>
  );
}
