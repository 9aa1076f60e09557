/** Points set in type: the whole large, the fraction quieter. One text to a screen reader. */
import { useLocale } from "../i18n/locale";
import { splitPoints } from "../money/points";

interface AmountProps {
  points: string;
  decimals: number;
  symbol?: string;
  signed?: boolean;
}

export function Amount({ points, decimals, symbol, signed = false }: AmountProps) {
  const { language } = useLocale();
  const { sign, whole, fraction } = splitPoints(points, decimals, language, signed);
  return (
    <span className="amount">
      {sign}
      {whole}
      <span className="amount-fraction">{fraction}</span>
      {symbol !== undefined && <span className="amount-symbol"> {symbol}</span>}
    </span>
  );
}
