import { useState } from "react";
import type { Gateway } from "../api/gateway";
import { troubleText } from "../api/problem";
import type { Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { doubtOf, tellsOf } from "../verify/entry";
import { Icon } from "../ui/Icon";

/** `told`: null when the entry is proven, else the error's name; and the registry on which it rests. */
type Answer = { at: "unasked" | "asking" } | { at: "told"; error: string | null; registry: string } | { at: "failed"; trouble: unknown };

/** Fetches the proofs of an entry's block and verifies them here, with no word of the gateway's but the bytes, and what the reader is to compare. */
export function Verify({ entry, gateway }: { entry: Entry; gateway: Gateway }) {
  const { messages } = useLocale();
  const [answer, setAnswer] = useState<Answer>({ at: "unasked" });
  const ask = () => {
    setAnswer({ at: "asking" });
    verified(entry, gateway).then(
      (found) => setAnswer({ at: "told", ...found }),
      (trouble: unknown) => setAnswer({ at: "failed", trouble }),
    );
  };
  return (
    <div className="check">
      <button type="button" className="button" disabled={answer.at === "asking"} onClick={ask}>
        {answer.at === "asking" ? messages.verifying : messages.verify}
      </button>
      <div role="status">
        {answer.at === "failed" && <p className="trouble">{troubleText(answer.trouble, messages)}</p>}
        {answer.at === "told" && (
          <div className="verdict" data-verified={answer.error === null}>
            <p className="verdict-line">
              <Icon name={answer.error === null ? "tick" : "cross"} />
              {answer.error === null ? messages.verifyTrue : messages.verifyFalse(answer.error)}
            </p>
            {answer.error === null && (
              <ul>
                <li>{messages.verifySaid}</li>
                <li>{messages.verifyPin(answer.registry)}</li>
              </ul>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** error: null when the entry's block proves it. The verifier is loaded when it is first asked for. */
async function verified({ points, proof }: Entry, gateway: Gateway): Promise<{ error: string | null; registry: string }> {
  const [data, contracts, { eventsOf, verify }] = await Promise.all([
    gateway.evidence(proof.block_number),
    gateway.contracts(),
    import("../verify/verify"),
  ]);
  const doubt = doubtOf(data, proof.block_hash, contracts, verify), { registry } = contracts;
  if (doubt !== null) return { error: doubt, registry };
  return { error: tellsOf(eventsOf(data), points, proof.contract) ? null : "ClaimFalse", registry };
}
