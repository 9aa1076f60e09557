import type { Gateway } from "../api/gateway";
import type { Balance, Hold } from "../api/types";
import { useLocale } from "../i18n/locale";
import { leftText, timeText } from "../i18n/moment";
import type { Intention, Request } from "../intentions/intention";
import { isOver } from "../intentions/intention";
import { Amount } from "../ui/Amount";
import { Code } from "../ui/Code";
import { CopyButton } from "../ui/CopyButton";
import { Outcome } from "../ui/Outcome";
import { brandNamed } from "../view/brands";
import { useNow } from "../view/clock";
import { isOpenHold } from "../view/useHolds";
import { pointsText } from "./IntentionView";

interface HoldViewProps {
  hold: Hold;
  balances: readonly Balance[];
  intentions: readonly Intention[];
  gateway: Gateway;
  onWant(request: Request): void;
  onClose(): void;
}

/** What is set aside: the code for the till while one may take it, and how it ended once none may. */
export function HoldView({ hold, balances, intentions, gateway, onWant, onClose }: HoldViewProps) {
  const { language, messages } = useLocale();
  useNow();
  const brand = brandNamed(hold.brand, balances);
  const left = gateway.secondsUntil(hold.deadline);
  const step = stepOf(hold, intentions);
  const text = (points: string) => pointsText(points, brand, language);

  if (hold.state === "captured") {
    return (
      <Outcome ending="confirmed" onClose={onClose}>
        {messages.holdCaptured(text(hold.captured), brand.name)}
      </Outcome>
    );
  }
  if (hold.state === "released" || hold.state === "expired") {
    const word = hold.state === "released" ? messages.holdReleased : messages.holdExpired;
    return (
      <Outcome ending="confirmed" onClose={onClose}>
        {word(text(hold.points))}
      </Outcome>
    );
  }
  if (hold.state === "refused") {
    return (
      <Outcome ending="refused" note={messages.errors[hold.operation.error ?? ""] ?? messages.errorUnknown} onClose={onClose}>
        {messages.wishes.hold(text(hold.points), brand.name)}
      </Outcome>
    );
  }
  if (step !== null) {
    return (
      <Outcome ending="settling" note={messages.settlingNote} onClose={onClose}>
        {step === "capture" ? messages.holdTaking : messages.holdReturning(text(hold.points))}
      </Outcome>
    );
  }
  return (
    <div className="hold" data-state={hold.state}>
      <Amount points={hold.points} decimals={hold.decimals} symbol={brand.symbol} />
      {left > 0 ? (
        <>
          <p className="outcome-note">{hold.state === "held" ? messages.redeemDone : messages.redeemSoon}</p>
          <Code text={hold.id} label={messages.code} />
          {hold.code !== null && (
            <p className="hold-code">
              <span className="visually-hidden">{messages.codeSpoken}</span>
              <span>{spaced(hold.code)}</span>
              <CopyButton text={hold.code} label={messages.code} />
            </p>
          )}
          <p className="countdown" role="timer" aria-live="off">
            {messages.redeemLeft(leftText(left), timeText(hold.deadline, language))}
          </p>
        </>
      ) : (
        <p className="outcome-note">{messages.holdOver}</p>
      )}
      <div className="outcome-actions">
        <button type="button" className="button button-full" onClick={onClose}>
          {messages.done}
        </button>
        <button
          type="button"
          className="button button-quiet"
          onClick={() => onWant({ what: "cancel", brand: hold.brand, points: hold.points, hold: hold.id })}
        >
          {messages.cancelHold}
        </button>
      </div>
    </div>
  );
}

/** "482 109 379": three threes, as one reads out a number. */
export function spaced(code: string): string {
  return code.replace(/(\d{3})(?=\d)/g, "$1 ");
}

/** What is being done to an open hold just now: by the till, or by the member. */
export function stepOf(hold: Hold, intentions: readonly Intention[]): "capture" | "release" | null {
  if (!isOpenHold(hold)) return null;
  const isWanted = intentions.some(({ request, ...one }) => request.what === "cancel" && request.hold === hold.id && !isOver({ request, ...one }));
  const { kind, state } = hold.operation;
  const isUnderWay = state !== "confirmed" && state !== "failed";
  if (kind === "capture" && isUnderWay) return "capture";
  return isWanted || ((kind === "release" || kind === "timeout") && isUnderWay) ? "release" : null;
}
