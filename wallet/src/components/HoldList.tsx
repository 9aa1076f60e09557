import { useId, type CSSProperties } from "react";
import type { Gateway } from "../api/gateway";
import type { Balance, Hold } from "../api/types";
import { useLocale } from "../i18n/locale";
import { leftText } from "../i18n/moment";
import type { Intention } from "../intentions/intention";
import { Amount } from "../ui/Amount";
import { Icon } from "../ui/Icon";
import { brandNamed } from "../view/brands";
import { useNow } from "../view/clock";
import { brandColour } from "../view/colour";
import { isOpenHold } from "../view/useHolds";
import { spaced, stepOf } from "./HoldView";

interface HoldListProps {
  holds: readonly Hold[];
  balances: readonly Balance[];
  intentions: readonly Intention[];
  gateway: Gateway;
  onShow(hold: string): void;
}

/** What is set aside now: found again whenever it is wanted, with its code and how long it is good for. */
export function HoldList({ holds, balances, intentions, gateway, onShow }: HoldListProps) {
  const { messages } = useLocale();
  const heading = useId();
  useNow();
  const open = holds.filter(isOpenHold);
  if (open.length === 0) return null;
  return (
    <section className="holds" aria-labelledby={heading}>
      <h2 id={heading}>{messages.holds}</h2>
      <ul>
        {open.map((hold) => {
          const brand = brandNamed(hold.brand, balances);
          const { fill, ink } = brandColour(brand.colour);
          const left = gateway.secondsUntil(hold.deadline);
          const step = stepOf(hold, intentions);
          return (
            <li key={hold.id}>
              <button type="button" className="hold-row" data-hold={hold.id} onClick={() => onShow(hold.id)}>
                <span className="disc" style={{ "--fill": fill, "--ink": ink } as CSSProperties}>
                  <Icon name="hold" />
                </span>
                <span className="entry-what">
                  <span className="entry-kind">
                    <Amount points={hold.points} decimals={hold.decimals} symbol={brand.symbol} />
                  </span>
                  <span className="entry-sub">
                    {brand.name} · {stateText()}
                  </span>
                </span>
                {hold.code !== null && step === null && left > 0 && <span className="hold-row-code">{spaced(hold.code)}</span>}
                <Icon name="chevron" />
              </button>
            </li>
          );

          function stateText(): string {
            if (step === "capture") return messages.holdTaking;
            if (step === "release") return messages.holdReturningShort;
            return left > 0 ? messages.holdLeft(leftText(left)) : messages.holdOverShort;
          }
        })}
      </ul>
    </section>
  );
}
