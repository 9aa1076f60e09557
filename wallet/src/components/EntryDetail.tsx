import type { Gateway } from "../api/gateway";
import type { Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { dateText, timeText } from "../i18n/moment";
import { formatPoints } from "../money/points";
import { formulaText } from "../view/formula";
import { Proof } from "./Proof";

interface EntryDetailProps {
  entry: Entry;
  listed: ReadonlySet<string>;
  gateway: Gateway;
}

/** How an entry was worked out, and its proof. */
export function EntryDetail({ entry, listed, gateway }: EntryDetailProps) {
  const { language, messages } = useLocale();
  const { rule, brand, decimals } = entry;
  const formula = formulaText(rule, decimals, language);
  const points = formatPoints(entry.points, decimals, language);
  return (
    <>
      <dl className="facts">
        {formula !== null && (
          <div>
            <dt>{messages.formula}</dt>
            <dd>
              {formula} → {points} {brand.symbol}
            </dd>
          </div>
        )}
        {rule != null && (
          <div>
            <dt>{messages.rule}</dt>
            <dd>{messages.ruleVersion(messages.kinds[rule.name] ?? rule.name, String(rule.version))}</dd>
          </div>
        )}
        {entry.reference != null && (
          <div>
            <dt>{messages.order}</dt>
            <dd>{entry.reference}</dd>
          </div>
        )}
        <div>
          <dt>{messages.time}</dt>
          <dd>
            {dateText(entry.at, language)}, {timeText(entry.at, language)}
          </dd>
        </div>
        {entry.related.length > 0 && (
          <div>
            <dt>{messages.related}</dt>
            <dd className="related">
              {entry.related.map((id) =>
                listed.has(id) ? (
                  <a key={id} href={`#entry-${id}`}>
                    #{id}
                  </a>
                ) : (
                  <span key={id}>#{id}</span>
                ),
              )}
            </dd>
          </div>
        )}
      </dl>
      <Proof entry={entry} gateway={gateway} />
    </>
  );
}
