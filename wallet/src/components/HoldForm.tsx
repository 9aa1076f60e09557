import { useState, type FormEvent } from "react";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import type { Request } from "../intentions/intention";
import { AmountField, readAmount } from "./AmountField";

const LIFETIME_S = 15 * 60;

interface HoldFormProps {
  balance: Balance;
  free: string;
  /** What kept it from being sent, if something did. */
  trouble: string | null;
  onWant(request: Request): void;
}

/** How many points to set aside for a till. */
export function HoldForm({ balance, free, trouble, onWant }: HoldFormProps) {
  const { language, messages } = useLocale();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const type = (typed: string) => {
    setText(typed);
    setWrong(null);
  };
  const place = (event: FormEvent) => {
    event.preventDefault();
    const asked = readAmount(text, balance, free, messages, language);
    setWrong(asked.trouble ?? null);
    if (asked.points === undefined) return;
    onWant({ what: "hold", brand: balance.brand.slug, points: asked.points, lifetime_s: LIFETIME_S });
  };
  return (
    <form className="form" onSubmit={place} noValidate>
      <AmountField label={messages.redeemAmount} balance={balance} free={free} text={text} trouble={wrong ?? trouble} onText={type} />
      <p className="quiet">{messages.redeemNote}</p>
      <button type="submit" className="button button-full">
        {messages.redeemAccept}
      </button>
    </form>
  );
}
