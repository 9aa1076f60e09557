import { useEffect, useId, useRef, useState, type CSSProperties } from "react";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText } from "../i18n/moment";
import { formatPoints } from "../money/points";
import { brandColour } from "../view/colour";
import { Amount } from "./Amount";
import { Icon } from "./Icon";

interface BalanceCardProps {
  balance: Balance;
  onExchange(): void;
  onRedeem(): void;
}

/** One brand's points: what can be spent, large; what is set aside or on its way, apart. */
export function BalanceCard({ balance, onExchange, onRedeem }: BalanceCardProps) {
  const { language, messages } = useLocale();
  const { brand, decimals, spendable } = balance;
  const { fill, ink } = brandColour(brand.colour);
  const heading = useId();
  const [atFirst] = useState(spendable);
  const canSpend = BigInt(spendable) > 0n;
  return (
    <article
      className="card"
      aria-labelledby={heading}
      data-brand={brand.slug}
      style={{ "--fill": fill, "--ink": ink, "--away": ink === "#ffffff" ? "#000000" : "#ffffff" } as CSSProperties}
    >
      <h3 id={heading}>{brand.name}</h3>
      <p className="visually-hidden">
        {messages.balanceSentence(formatPoints(spendable, decimals, language), brand.symbol, brand.name)}
      </p>
      <p className="card-amount" aria-hidden="true">
        <span key={spendable} className="card-figure" data-changed={spendable !== atFirst}>
          <Amount points={spendable} decimals={decimals} symbol={brand.symbol} />
        </span>
      </p>
      <Change points={spendable} decimals={decimals} />
      <p className="card-label" aria-hidden="true">
        {messages.spendable}
      </p>
      <dl className="card-split">
        <div>
          <dt>{messages.held}</dt>
          <dd>
            <Amount points={balance.held} decimals={decimals} />
          </dd>
        </div>
        <div>
          <dt>{messages.pending}</dt>
          <dd>
            <Amount points={balance.pending} decimals={decimals} />
          </dd>
        </div>
      </dl>
      <Lots balance={balance} />
      {balance.expired !== "0" && (
        <p className="card-line" data-expired={balance.expired}>
          {messages.justExpired(`${formatPoints(balance.expired, decimals, language)} ${brand.symbol}`)}
        </p>
      )}
      <div className="card-actions">
        <button type="button" className="card-button card-button-full" disabled={!canSpend} onClick={onRedeem}>
          {messages.redeem}
        </button>
        <button type="button" className="card-button" disabled={!canSpend} onClick={onExchange}>
          {messages.exchange}
        </button>
      </div>
    </article>
  );
}

const CHANGE_SHOWN_MS = 6000;

/** What was just added or taken, for a moment, beside the number. */
function Change({ points, decimals }: { points: string; decimals: number }) {
  const { language } = useLocale();
  const before = useRef(points);
  const [change, setChange] = useState<string | null>(null);
  useEffect(() => {
    const delta = BigInt(points) - BigInt(before.current);
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
