/** Points set in type: the whole large, the fraction quieter. One text to a screen reader. */
import { Fragment } from "react";
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
      <Breakable text={whole} />
      <span className="amount-fraction">{fraction}</span>
      {symbol !== undefined && <span className="amount-symbol"> {symbol}</span>}
    </span>
  );
}

/** Digits that give way between their threes, where there is no room for all of them, and nowhere else. */
function Breakable({ text }: { text: string }) {
  const parts = text.split(/(?<=\D)(?=\d)/);
  return parts.map((part, place) => (
    <Fragment key={place}>
      {place > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}
