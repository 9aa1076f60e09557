/** A rule's inputs as a member reads them: "29.33 USD × 1.5", "4,200 KRW ÷ 120". */
import type { RuleCited } from "../api/types";
import { formatPoints, unitsOf } from "../money/points";
import { formatFactor } from "../money/rate";

/**
 * The base amount and what it is multiplied by, both in whole units. The rule itself counts base units
 * on both sides (cents, won; hundredths of a point), so the factor is scaled by their difference.
 */
export function formulaText(rule: RuleCited | null | undefined, decimals: number, language: string): string | null {
  if (rule == null) return null;
  const base = formatPoints(rule.base_amount, rule.base_decimals, language);
  const [over, under] = [unitsOf(rule.numerator), unitsOf(rule.denominator)];
  if (over === null || under === null) return null;
  const numerator = over * 10n ** BigInt(rule.base_decimals);
  const denominator = under * 10n ** BigInt(decimals);
  return `${base} ${rule.currency} ${formatFactor(numerator, denominator, language)}`;
}
