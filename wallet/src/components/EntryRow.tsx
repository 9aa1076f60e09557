import { useId, useState, type CSSProperties } from "react";
import type { Gateway } from "../api/gateway";
import type { Balance, Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { momentText } from "../i18n/moment";
import { brandColour } from "../view/colour";
import { kindText, mainPoints } from "../view/facts";
import { formulaText } from "../view/formula";
import { Amount } from "./Amount";
import { EntryDetail } from "./EntryDetail";
import { Icon, type IconName } from "./Icon";

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
  leave_out: "spend",
  transfer_out: "spend",
};

interface EntryRowProps {
  entry: Entry;
  isNew: boolean;
  /** Entries on the page, to which a related one may lead. */
  listed: ReadonlyMap<string, Entry>;
  balances: Balance[];
  gateway: Gateway;
}

/** One line of the history; opened, it shows how it was worked out and where it is on the chain. */
export function EntryRow({ entry, isNew, listed, balances, gateway }: EntryRowProps) {
  const { language, messages } = useLocale();
  const [isOpen, setOpen] = useState(false);
  const panel = useId();
  const { brand, decimals } = entry;
  const { fill, ink } = brandColour(brand.colour);
  const formula = formulaText(entry.rule, decimals, language);
  const points = mainPoints(entry);
  return (
    <li id={`entry-${entry.id}`} className="entry" data-new={isNew} data-entry={entry.id} data-kind={entry.kind} data-brand={brand.slug}>
      <button
        type="button"
        className="entry-row"
        aria-expanded={isOpen}
        aria-controls={panel}
        onClick={() => setOpen(!isOpen)}
      >
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
            {formula !== null && <span className="entry-formula">{formula}</span>}
          </span>
        </span>
        <span className="entry-points" data-sign={points.startsWith("-") ? "minus" : "plus"}>
          <Amount points={points} decimals={decimals} symbol={brand.symbol} signed />
          <span className="entry-state" data-state={entry.state}>
            {messages.states[entry.state] ?? entry.state}
          </span>
        </span>
        <Icon name="chevron" />
      </button>
      <div id={panel} className="entry-panel" hidden={!isOpen}>
        {isOpen && <EntryDetail entry={entry} listed={listed} balances={balances} gateway={gateway} />}
      </div>
    </li>
  );
}
