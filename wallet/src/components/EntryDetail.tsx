import { useEffect, useState } from "react";
import type { Gateway } from "../api/gateway";
import type { Balance, Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText } from "../i18n/moment";
import { formatPoints } from "../money/points";
import { entryLines, kindText, rowPoints } from "../view/facts";
import { Proof } from "./Proof";

interface EntryDetailProps {
  entry: Entry;
  balances: Balance[];
  gateway: Gateway;
  onShow(entry: string): void;
}

/** How an entry came about, what belongs to it, and its proof. */
export function EntryDetail({ entry, balances, gateway, onShow }: EntryDetailProps) {
  const { language, messages } = useLocale();
  return (
    <>
      <dl className="facts">
        {entryLines(entry, { language, messages, balances }).map(([label, text]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
        {entry.related.length > 0 && (
          <div>
            <dt>{messages.related}</dt>
            <dd className="related">
              {entry.related.map((id) => (
                <Related key={id} id={id} gateway={gateway} onShow={onShow} />
              ))}
            </dd>
          </div>
        )}
      </dl>
      <Proof entry={entry} gateway={gateway} />
    </>
  );
}

/** Leads to an entry that belongs to this one, however far back it is. */
function Related({ id, gateway, onShow }: { id: string; gateway: Gateway; onShow(entry: string): void }) {
  const { language, messages } = useLocale();
  const entry = useEntry(id, gateway);
  return (
    <button type="button" className="link" data-related={id} onClick={() => onShow(id)}>
      {entry === null ? `#${id}` : relatedText(entry)}
    </button>
  );

  function relatedText(found: Entry): string {
    const { points, isMove } = rowPoints(found);
    const amount = formatPoints(points, found.decimals, language, !isMove);
    return `${kindText(found, messages.kinds)} ${amount} ${found.brand.symbol}, ${dateText(found.at, language)}`;
  }
}

/** An entry by its id; null until it was read. */
function useEntry(id: string, gateway: Gateway): Entry | null {
  const [entry, setEntry] = useState<Entry | null>(null);
  useEffect(() => {
    let isOver = false;
    gateway.entry(id).then(
      (found) => !isOver && setEntry(found),
      () => undefined,
    );
    return () => {
      isOver = true;
    };
  }, [id, gateway]);
  return entry;
}

/** An entry that another one led to, in a sheet of its own. */
export function EntrySheet({ id, balances, gateway, onShow }: { id: string } & Omit<EntryDetailProps, "entry">) {
  const { messages } = useLocale();
  const entry = useEntry(id, gateway);
  if (entry?.id !== id) return <p className="quiet" role="status">{messages.loading}</p>;
  return <EntryDetail entry={entry} balances={balances} gateway={gateway} onShow={onShow} />;
}
