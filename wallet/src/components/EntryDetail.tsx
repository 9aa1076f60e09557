import type { Gateway } from "../api/gateway";
import type { Balance, Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { formatPoints } from "../money/points";
import { entryLines, kindText, mainPoints } from "../view/facts";
import { Proof } from "./Proof";

interface EntryDetailProps {
  entry: Entry;
  balances: Balance[];
  listed: ReadonlyMap<string, Entry>;
  gateway: Gateway;
}

/** How an entry came about, and its proof. */
export function EntryDetail({ entry, balances, listed, gateway }: EntryDetailProps) {
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
                <Related key={id} id={id} entry={listed.get(id)} />
              ))}
            </dd>
          </div>
        )}
      </dl>
      <Proof entry={entry} gateway={gateway} />
    </>
  );
}

/** Leads to an entry on the page; one that is not, is named by its number. */
function Related({ id, entry }: { id: string; entry: Entry | undefined }) {
  const { language, messages } = useLocale();
  if (entry === undefined) return <span>#{id}</span>;
  const points = formatPoints(mainPoints(entry), entry.decimals, language, true);
  return (
    <a href={`#entry-${id}`}>
      {kindText(entry, messages.kinds)} {points} {entry.brand.symbol}
    </a>
  );
}
