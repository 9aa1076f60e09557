import { useId } from "react";
import type { Balance } from "../api/types";
import type { Messages } from "../i18n/en";
import { useLocale, type Language } from "../i18n/locale";
import { formatPoints, inputPoints, readPoints, unitsOrNone } from "../money/points";

interface AmountFieldProps {
  label: string;
  balance: Balance;
  /** What can still be promised of it. */
  free: string;
  text: string;
  trouble: string | null;
  onText(text: string): void;
}

/** Where a member types how many points; says beneath how it is read, what is available or what is wrong. */
export function AmountField({ label, balance, free, text, trouble, onText }: AmountFieldProps) {
  const { language, messages } = useLocale();
  const field = useId();
  const { decimals, brand } = balance;
  const typed = readPoints(text, decimals, language);
  const available = messages.available(formatPoints(free, decimals, language), brand.symbol);
  // What was typed, said back: nobody gives more than they read here.
  const read = "points" in typed && typed.points !== "0" ? `${formatPoints(typed.points, decimals, language)} ${brand.symbol}` : null;
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
        <button type="button" className="field-all" onClick={() => onText(inputPoints(free, decimals, language))}>
          {messages.useAll}
        </button>
      </div>
      <p id={`${field}-note`} className={trouble === null ? "field-note" : "field-note trouble"} aria-live="polite">
        {trouble ?? (read === null ? available : messages.amountRead(read, available))}
      </p>
    </div>
  );
}

/** Base units of a typed amount that can be promised, or the sentence that says why not. */
export function readAmount(
  text: string,
  balance: Balance,
  free: string,
  messages: Messages,
  language: Language,
): { points: string; trouble?: never } | { points?: never; trouble: string } {
  const typed = readPoints(text, balance.decimals, language);
  if ("wrong" in typed) {
    if (typed.wrong === "malformed") return { trouble: messages.amountBad(balance.decimals) };
    return { trouble: messages.amountAmbiguous(formatPoints("125050", 2, language)) };
  }
  if (typed.points === "0") return { trouble: messages.amountZero };
  if (unitsOrNone(typed.points) > unitsOrNone(free)) return { trouble: messages.amountTooLarge };
  return { points: typed.points };
}
