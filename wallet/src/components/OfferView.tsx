import { useEffect, useRef } from "react";
import type { Offer } from "../api/gateway";
import type { BrandCard } from "../api/types";
import { useLocale } from "../i18n/locale";
import { leftText } from "../i18n/moment";
import { formatPoints } from "../money/points";
import { formatRate } from "../money/rate";
import { useNow } from "../view/clock";
import { Amount } from "../ui/Amount";

interface OfferViewProps {
  offer: Offer;
  heardAt: number;
  from: BrandCard;
  to: BrandCard;
  trouble: string | null;
  onAccept(): void;
  onAgain(): void;
  onChange(): void;
}

/** An exchange offer: what one gives and receives, at which rate and fee, and for how long. */
export function OfferView(props: OfferViewProps) {
  const { from, to, trouble } = props;
  const { language, messages } = useLocale();
  const { quote, left_s } = props.offer;
  const left = left_s - Math.max(0, useNow() - props.heardAt) / 1000;
  const isOver = left <= 0;
  const points = (amount: string, brand: BrandCard) => `${formatPoints(amount, brand.decimals, language)} ${brand.symbol}`;
  const rate = formatRate(quote.rate.numerator, quote.rate.denominator, language);
  // The form that had the focus is gone; the offer takes it, and a screen reader reads it.
  const summary = useRef<HTMLDivElement>(null);
  useEffect(() => summary.current?.focus(), []);
  return (
    <div className="form">
      <div ref={summary} className="offer" tabIndex={-1}>
        <p>
          <span className="offer-label">{messages.quoteGive}</span>
          <Amount points={quote.points_in} decimals={from.decimals} symbol={from.symbol} />
        </p>
        <p className="offer-receive">
          <span className="offer-label">{messages.quoteReceive}</span>
          <Amount points={quote.points_out} decimals={to.decimals} symbol={to.symbol} />
        </p>
      </div>
      <dl className="facts">
        <div>
          <dt>{messages.quoteRate}</dt>
          <dd>
            1 {from.symbol} = {rate} {to.symbol}
          </dd>
        </div>
        <div>
          <dt>{messages.quoteFee}</dt>
          <dd>{points(quote.fee, to)}</dd>
        </div>
        <div>
          <dt>{messages.quoteMinimum}</dt>
          <dd>{points(quote.minimum_out, to)}</dd>
        </div>
      </dl>
      <p className="countdown" role="timer" aria-live="off" data-over={isOver}>
        {isOver ? messages.quoteOver : messages.quoteLeft(leftText(left))}
      </p>
      {trouble !== null && (
        <p className="trouble" role="alert">
          {trouble}
        </p>
      )}
      {isOver ? (
        <button type="button" className="button button-full" onClick={props.onAgain}>
          {messages.quoteAgain}
        </button>
      ) : (
        <button type="button" className="button button-full" onClick={props.onAccept}>
          {messages.quoteAccept}
        </button>
      )}
      <button type="button" className="button button-quiet" onClick={props.onChange}>
        {messages.change}
      </button>
    </div>
  );
}
