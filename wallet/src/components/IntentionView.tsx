import { refusalText } from "../api/problem";
import type { Balance, BrandCard } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText, timeText } from "../i18n/moment";
import type { Desk } from "../intentions/desk";
import type { Intention } from "../intentions/intention";
import { formatPoints } from "../money/points";
import { Outcome } from "../ui/Outcome";
import { brandNamed } from "../view/brands";

interface IntentionViewProps {
  intention: Intention;
  balances: readonly Balance[];
  desk: Desk | null;
  /** The member wants something else, and this stands in its way. */
  isInTheWay?: boolean;
  onClose(): void;
}

/** How something that a member wanted stands, and what can be done about it. */
export function IntentionView({ intention, balances, desk, isInTheWay = false, onClose }: IntentionViewProps) {
  const { language, messages } = useLocale();
  const { key, request, state, error } = intention;
  const brand = brandNamed(request.brand, balances);
  const amount = pointsText(request.points, brand, language);
  const wish = messages.wishes[request.what](amount, brand.name);
  const at = new Date(intention.at).toISOString();
  const when = messages.wanted(wish, `${dateText(at, language)}, ${timeText(at, language)}`);

  if (intention.isSending === true) {
    return (
      <Outcome ending="unknown" word={messages.sending} onClose={onClose}>
        {wish}
      </Outcome>
    );
  }
  switch (state) {
    case "unknown":
      return (
        <Outcome ending="unknown" note={isInTheWay ? messages.unknownFirst : messages.unknownNote} onClose={onClose}>
          {when}
        </Outcome>
      );
    case "absent":
      return (
        <Outcome
          ending="unknown"
          word={messages.notArrived}
          note={messages.absentNote}
          onClose={onClose}
          actions={
            <>
              <button type="button" className="button button-full" onClick={() => void desk?.send(key)}>
                {messages.sendNow}
              </button>
              <button type="button" className="button button-wide" onClick={() => void desk?.withdraw(key)}>
                {messages.dropIt}
              </button>
            </>
          }
        >
          {messages.absent(wish)}
        </Outcome>
      );
    case "settling":
      return (
        <Outcome ending="settling" note={messages.settlingNote} onClose={onClose}>
          {wish}
        </Outcome>
      );
    case "refused":
      return (
        <Outcome ending="refused" note={refusalText(error, messages)} onClose={onClose}>
          {wish}
        </Outcome>
      );
    case "withdrawn":
      return (
        <Outcome ending="refused" note={messages.withdrawnNote} onClose={onClose}>
          {wish}
        </Outcome>
      );
    case "confirmed":
      return (
        <Outcome ending="confirmed" onClose={onClose}>
          {doneText()}
        </Outcome>
      );
  }

  function doneText(): string {
    if (request.what === "exchange" && intention.received !== null) {
      const to = brandNamed(request.to, balances);
      return messages.exchangeDone(formatPoints(intention.received, to.decimals, language), to.symbol);
    }
    return request.what === "cancel" ? messages.cancelDone(amount) : wish;
  }
}

export function pointsText(points: string, brand: BrandCard, language: string): string {
  return `${formatPoints(points, brand.decimals, language)} ${brand.symbol}`;
}
