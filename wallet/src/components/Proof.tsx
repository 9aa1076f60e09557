import { useState } from "react";
import type { Gateway } from "../api/gateway";
import { troubleText } from "../api/problem";
import type { Entry, EntryProof } from "../api/types";
import { useLocale } from "../i18n/locale";
import { formatCount } from "../money/points";
import { CopyButton } from "../ui/CopyButton";
import { Icon } from "../ui/Icon";
import { Verify } from "./Verify";

const TAIL_CHARS = 8;

/** Where on the chain an entry is, and a question to the node itself whether that is so. */
export function Proof({ entry, gateway }: { entry: Entry; gateway: Gateway }) {
  const { language, messages } = useLocale();
  const { tx_hash, block_number, block_hash, log_index, contract } = entry.proof;
  const facts: [name: string, label: string, value: string | null | undefined, shown?: string][] = [
    ["tx_hash", messages.transaction, tx_hash],
    ["block_number", messages.block, String(block_number), formatCount(block_number, language)],
    ["block_hash", messages.blockHash, block_hash],
    ["log_index", messages.logIndex, log_index === null ? null : String(log_index)],
    ["contract", messages.contract, contract],
  ];
  return (
    <section className="proof">
      <h4>{messages.proof}</h4>
      <dl>
        {facts.map(
          ([name, label, value, shown]) =>
            value != null && (
              <div key={name}>
                <dt>{label}</dt>
                <dd data-proof={name} data-value={value}>
                  {value.startsWith("0x") ? <Hash text={value} /> : (shown ?? value)}
                  <CopyButton text={value} label={label} />
                </dd>
              </div>
            ),
        )}
      </dl>
      <Check entry={entry} gateway={gateway} />
      {/* What time alone brought has no event that a bundle could show. */}
      {tx_hash !== null && <Verify entry={entry} gateway={gateway} />}
    </section>
  );
}

/** A hash that gives way in its middle when there is no room; the whole text stays readable to machines. */
function Hash({ text }: { text: string }) {
  return (
    <span className="hash" title={text}>
      <span className="hash-head">{text.slice(0, -TAIL_CHARS)}</span>
      <span>{text.slice(-TAIL_CHARS)}</span>
    </span>
  );
}

type Answer = { at: "unasked" | "asking" } | { at: "told"; proof: EntryProof } | { at: "failed"; trouble: unknown };

function Check({ entry, gateway }: { entry: Entry; gateway: Gateway }) {
  const { messages } = useLocale();
  const [answer, setAnswer] = useState<Answer>({ at: "unasked" });
  const ask = () => {
    setAnswer({ at: "asking" });
    gateway.proof(entry.id).then(
      (proof) => setAnswer({ at: "told", proof }),
      (trouble: unknown) => setAnswer({ at: "failed", trouble }),
    );
  };
  return (
    <div className="check">
      <button type="button" className="button" disabled={answer.at === "asking"} onClick={ask}>
        {answer.at === "asking" ? messages.checking : messages.check}
      </button>
      <div role="status">
        {answer.at === "failed" && <p className="trouble">{troubleText(answer.trouble, messages)}</p>}
        {answer.at === "told" && <Verdict proof={answer.proof} />}
      </div>
    </div>
  );
}

function Verdict({ proof }: { proof: EntryProof }) {
  const { messages } = useLocale();
  return (
    <div className="verdict" data-verified={proof.verified}>
      <p className="verdict-line">
        <Icon name={proof.verified ? "tick" : "cross"} />
        {proof.verified ? messages.checkTrue : messages.checkFalse}
      </p>
      <ul>
        {proof.checks.map(({ name, ok, detail }) => (
          <li key={name} data-ok={ok}>
            <Icon name={ok ? "tick" : "cross"} size={16} />
            {messages.checks[name] ?? (detail || name)}
          </li>
        ))}
      </ul>
    </div>
  );
}
