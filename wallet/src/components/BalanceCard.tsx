import { useEffect, useId, useRef, useState, type CSSProperties } from "react";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText } from "../i18n/moment";
import { formatPoints, unitsOrNone } from "../money/points";
import { Amount } from "../ui/Amount";
import { Icon } from "../ui/Icon";
import { brandColour } from "../view/colour";
import { onItsWay } from "../view/unlocking";

interface BalanceCardProps {
  balance: Balance;
  /** What can still be promised: spendable, less what is on its way out. */
  free: string;
  /** Of many brands each is a line that opens; null where all are whole. */
  fold: { isOpen: boolean; toggle(): void } | null;
  onExchange(): void;
  onRedeem(): void;
}

/** One brand's points: what can be spent, large; what is set aside or on its way, apart. */
export function BalanceCard({ balance, free, fold, onExchange, onRedeem }: BalanceCardProps) {
  const { language, messages } = useLocale();
  const { brand, decimals } = balance;
  const { fill, ink } = brandColour(brand.colour);
  const heading = useId();
  const whole = useId();
  const [atFirst] = useState(free);
  const isOpen = fold === null || fold.isOpen;
  const figure = <Amount points={free} decimals={decimals} symbol={brand.symbol} />;
  return (
    <article
      className="card"
      aria-labelledby={heading}
      data-brand={brand.slug}
      data-folded={!isOpen}
      style={{ "--fill": fill, "--ink": ink, "--away": ink === "#ffffff" ? "#000000" : "#ffffff" } as CSSProperties}
    >
      {fold === null ? (
        <h3 id={heading}>{brand.name}</h3>
      ) : (
        <h3 id={heading}>
          <button type="button" className="card-fold" aria-expanded={isOpen} aria-controls={whole} onClick={fold.toggle}>
            <span className="card-name">{brand.name}</span>
            {!isOpen && figure}
            <Icon name="chevron" />
          </button>
        </h3>
      )}
      <div id={whole} hidden={!isOpen}>
        {isOpen && (
          <>
            <p className="visually-hidden">
              {messages.balanceSentence(formatPoints(free, decimals, language), brand.symbol, brand.name)}
            </p>
            <p className="card-amount" aria-hidden="true">
              <span key={free} className="card-figure" data-changed={free !== atFirst}>
                {figure}
              </span>
            </p>
            <Change points={free} decimals={decimals} />
            <p className="card-label" aria-hidden="true">
              {messages.spendable}
            </p>
            <Split balance={balance} free={free} />
            {unitsOrNone(balance.debt) > 0n && <p className="card-line">{messages.debtNote}</p>}
            <Lots balance={balance} />
            <OnItsWay balance={balance} />
            {unitsOrNone(balance.expired) > 0n && (
              <p className="card-line" data-expired={balance.expired}>
                {messages.justExpired(`${formatPoints(balance.expired, decimals, language)} ${brand.symbol}`)}
              </p>
            )}
            <Actions free={free} onExchange={onExchange} onRedeem={onRedeem} />
          </>
        )}
      </div>
    </article>
  );
}

function Split({ balance, free }: { balance: Balance; free: string }) {
  const { messages } = useLocale();
  const { decimals, held, pending, spendable } = balance;
  const leaving = unitsOrNone(spendable) - unitsOrNone(free);
  const parts: [name: string, label: string, points: string][] = [
    ["held", messages.held, held],
    ["pending", messages.pending, pending],
  ];
  if (leaving > 0n) parts.push(["leaving", messages.leaving, leaving.toString()]);
  if (unitsOrNone(balance.debt) > 0n) parts.push(["debt", messages.debt, balance.debt]);
  return (
    <dl className="card-split">
      {parts.map(([name, label, points]) => (
        <div key={name} data-part={name}>
          <dt>{label}</dt>
          <dd>
            <Amount points={points} decimals={decimals} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Actions({ free, onExchange, onRedeem }: { free: string; onExchange(): void; onRedeem(): void }) {
  const { messages } = useLocale();
  const canSpend = unitsOrNone(free) > 0n;
  return (
    <div className="card-actions">
      <button type="button" className="card-button card-button-full" disabled={!canSpend} onClick={onRedeem}>
        {messages.redeem}
      </button>
      <button type="button" className="card-button" disabled={!canSpend} onClick={onExchange}>
        {messages.exchange}
      </button>
    </div>
  );
}

const CHANGE_SHOWN_MS = 6000;

/** What was just added or taken, for a moment, beside the number. */
function Change({ points, decimals }: { points: string; decimals: number }) {
  const { language } = useLocale();
  const before = useRef(points);
  const [change, setChange] = useState<string | null>(null);
  useEffect(() => {
    const delta = unitsOrNone(points) - unitsOrNone(before.current);
    before.current = points;
    if (delta === 0n) return;
    setChange(delta.toString());
    const timer = setTimeout(() => setChange(null), CHANGE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [points]);
  return change === null ? null : (
    <span key={points} className="change" aria-hidden="true">
      {formatPoints(change, decimals, language, true)}
    </span>
  );
}

/** What cannot be spent yet in one line, with the day of the first of it; every day when it is opened. */
function OnItsWay({ balance }: { balance: Balance }) {
  const { language, messages } = useLocale();
  const { brand, decimals } = balance;
  const coming = onItsWay(balance);
  const first = coming?.days[0];
  if (coming === null || first === undefined) return null;
  return (
    <details className="lots" data-locked={coming.points}>
      <summary className="card-line">
        {messages.onItsWay(
          `${formatPoints(coming.points, decimals, language)} ${brand.symbol}`,
          dateText(first.until, language),
        )}
        <Icon name="chevron" />
      </summary>
      <ul>
        {coming.days.map((day) => (
          <li key={day.until}>
            <span>{dateText(day.until, language)}</span>
            <Amount points={day.points} decimals={decimals} />
          </li>
        ))}
      </ul>
      <p className="lots-note">{messages.onItsWayNote}</p>
    </details>
  );
}

/** The next expiry in one line; all lots when it is opened. */
function Lots({ balance }: { balance: Balance }) {
  const { language, messages } = useLocale();
  const { decimals, expiring } = balance;
  const show = (points: string) => formatPoints(points, decimals, language);
  const next = expiring.find((lot) => lot.expires_at !== null);
  if (expiring.length === 0) return <p className="card-line">{messages.nothingYet}</p>;
  if (next?.expires_at == null) return <p className="card-line">{messages.neverExpire}</p>;
  return (
    <details className="lots">
      <summary className="card-line">
        {messages.expires(show(next.points), dateText(next.expires_at, language))}
        <Icon name="chevron" />
      </summary>
      <h4 className="visually-hidden">{messages.lots}</h4>
      <ul>
        {expiring.map((lot, place) => (
          <li key={place}>
            <span>{lot.expires_at == null ? messages.lotNever : dateText(lot.expires_at, language)}</span>
            <Amount points={lot.points} decimals={decimals} />
          </li>
        ))}
      </ul>
      <p className="lots-note">{messages.lotsNote}</p>
    </details>
  );
}
