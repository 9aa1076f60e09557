import { useRef, useState, type FormEvent } from "react";
import type { Gateway } from "../api/gateway";
import { Refusal, troubleText } from "../api/problem";
import type { Balance, Hold } from "../api/types";
import { useLocale } from "../i18n/locale";
import { timeText } from "../i18n/moment";
import { AmountField, readAmount } from "./AmountField";
import { Amount } from "./Amount";
import { Code } from "./Code";
import { Outcome } from "./Outcome";
import { Sheet } from "./Sheet";

interface HoldSheetProps {
  balance: Balance;
  gateway: Gateway;
  onClose(): void;
}

/** Sets points aside for a redemption, and gives the code that the till asks for. */
export function HoldSheet({ balance, gateway, onClose }: HoldSheetProps) {
  const { language, messages } = useLocale();
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isWorking, setWorking] = useState(false);
  const [hold, setHold] = useState<Hold | null>(null);
  // One intention, one key: kept while its outcome is not known, changed with the amount.
  const intention = useRef({ points: "", key: "" });
  const { brand, decimals } = balance;

  const place = async (event: FormEvent) => {
    event.preventDefault();
    const asked = readAmount(text, balance, messages);
    setTrouble(asked.trouble ?? null);
    if (asked.points === undefined) return;
    if (intention.current.points !== asked.points) {
      intention.current = { points: asked.points, key: crypto.randomUUID() };
    }
    setWorking(true);
    try {
      const placed = await gateway.hold(brand.slug, asked.points, intention.current.key);
      if (placed.state === "refused") throw new Refusal(placed.operation.error ?? "", 409);
      setHold(placed);
    } catch (reason) {
      if (reason instanceof Refusal) intention.current = { points: "", key: "" };
      setTrouble(troubleText(reason, messages));
    } finally {
      setWorking(false);
    }
  };

  return (
    <Sheet title={messages.redeemTitle(brand.name)} onClose={onClose}>
      {hold === null ? (
        <form className="form" onSubmit={(event) => void place(event)} noValidate>
          <AmountField label={messages.redeemAmount} balance={balance} text={text} trouble={trouble} onText={setText} />
          <p className="quiet">{messages.redeemNote}</p>
          <button type="submit" className="button button-full" disabled={isWorking}>
            {isWorking ? messages.redeemWorking : messages.redeemAccept}
          </button>
        </form>
      ) : hold.state === "requested" ? (
        <Outcome onClose={onClose}>{messages.redeemSent}</Outcome>
      ) : (
        <Outcome isSilent onClose={onClose}>
          <Amount points={hold.points} decimals={decimals} symbol={brand.symbol} />
          <p className="outcome-note">{messages.redeemDone}</p>
          <Code text={hold.id} label={messages.code} />
          <p className="outcome-note">{messages.redeemUntil(timeText(hold.deadline, language))}</p>
        </Outcome>
      )}
    </Sheet>
  );
}
