import { useId } from "react";
import type { Balance } from "../api/types";
import type { Messages } from "../i18n/en";
import { useLocale } from "../i18n/locale";
import { formatPoints, inputPoints, parsePoints } from "../money/points";

interface AmountFieldProps {
  label: string;
  balance: Balance;
  text: string;
  trouble: string | null;
  onText(text: string): void;
}

/** Where a member types how many points; says beneath what is available or what is wrong. */
export function AmountField({ label, balance, text, trouble, onText }: AmountFieldProps) {
  const { language, messages } = useLocale();
  const field = useId();
  const { spendable, decimals, brand } = balance;
  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <div className="field-box">
        <input
          id={field}
          value={text}
          inputMode="decimal"
          autoComplete="off"
          placeholder="0"
          aria-invalid={trouble !== null}
          aria-describedby={`${field}-note`}
          onChange={(event) => onText(event.target.value)}
        />
        <span className="field-unit">{brand.symbol}</span>
        <button type="button" className="field-all" onClick={() => onText(inputPoints(spendable, decimals))}>
          {messages.useAll}
        </button>
      </div>
      <p id={`${field}-note`} className={trouble === null ? "field-note" : "field-note trouble"} aria-live="polite">
        {trouble ?? messages.available(formatPoints(spendable, decimals, language), brand.symbol)}
      </p>
    </div>
  );
}

/** Base units of a typed amount that the balance covers, or the sentence that says why not. */
export function readAmount(
  text: string,
  balance: Balance,
  messages: Messages,
): { points: string; trouble?: never } | { points?: never; trouble: string } {
  const points = parsePoints(text, balance.decimals);
  if (points === null) return { trouble: messages.amountBad(balance.decimals) };
  if (points === "0") return { trouble: messages.amountZero };
  if (BigInt(points) > BigInt(balance.spendable)) return { trouble: messages.amountTooLarge };
  return { points };
}
