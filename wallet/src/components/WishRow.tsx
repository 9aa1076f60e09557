import type { CSSProperties } from "react";
import { refusalText } from "../api/problem";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import { momentText } from "../i18n/moment";
import type { Desk } from "../intentions/desk";
import { isOver, type Intention } from "../intentions/intention";
import { Icon, type IconName } from "../ui/Icon";
import type { Ending } from "../ui/Outcome";
import { brandNamed } from "../view/brands";
import { brandColour } from "../view/colour";
import { pointsText } from "./IntentionView";

const ICONS: Record<Intention["request"]["what"], IconName> = { hold: "hold", exchange: "swap", cancel: "back" };
const ENDINGS: Record<Intention["state"], Ending> = {
  unknown: "unknown",
  absent: "unknown",
  settling: "settling",
  confirmed: "confirmed",
  refused: "refused",
  withdrawn: "refused",
};

interface WishRowProps {
  intention: Intention;
  balances: readonly Balance[];
  desk: Desk | null;
  onShow(key: string): void;
}

/** A line for what is wanted and not yet on the chain, or was refused: it stays until its end is known and seen. */
export function WishRow({ intention, balances, desk, onShow }: WishRowProps) {
  const { language, messages } = useLocale();
  const { key, request, state, error } = intention;
  const brand = brandNamed(request.brand, balances);
  const { fill, ink } = brandColour(brand.colour);
  const ending = ENDINGS[state];
  return (
    <div className="entry wish" data-kind="wish" data-wish={key} data-ending={ending} data-brand={request.brand}>
      <button type="button" className="entry-row" onClick={() => onShow(key)}>
        <span className="disc" style={{ "--fill": fill, "--ink": ink } as CSSProperties}>
          <Icon name={ICONS[request.what]} />
        </span>
        <span className="entry-what">
          <span className="entry-kind">{messages.wishes[request.what](pointsText(request.points, brand, language), brand.name)}</span>
          <span className="entry-sub">
            {momentText(new Date(intention.at).toISOString(), language)}
            {state === "refused" && ` · ${refusalText(error, messages)}`}
          </span>
        </span>
        <span className="entry-points wish-state" data-ending={ending}>
          {intention.isSending === true ? messages.sending : state === "absent" ? messages.notArrived : messages.endings[ending]}
        </span>
        <Icon name="chevron" />
      </button>
      {isOver(intention) && state !== "confirmed" && (
        <button type="button" className="copy" aria-label={messages.dismiss} onClick={() => void desk?.dismiss(key)}>
          <Icon name="cross" size={18} />
        </button>
      )}
    </div>
  );
}
