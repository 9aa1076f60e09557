/** A rule's inputs as a member reads them: "29.33 USD × 1.5". */
import type { RuleCited } from "../api/types";
import { formatPoints } from "../money/points";
import { formatRate } from "../money/rate";

export function formulaText(rule: RuleCited | null | undefined, language: string): string | null {
  if (rule == null) return null;
  const base = formatPoints(rule.base_amount, rule.base_decimals, language);
  return `${base} ${rule.currency} × ${formatRate(rule.numerator, rule.denominator, language)}`;
}
