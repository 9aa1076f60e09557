import { useState } from "react";
import type { Gateway } from "../api/gateway";
import { troubleText } from "../api/problem";
import type { Entry } from "../api/types";
import { useLocale } from "../i18n/locale";
import { tellsOf } from "../verify/entry";
import { Icon } from "./Icon";

/** `told`: null when the entry is proven, else the error's name. */
type Answer = { at: "unasked" | "asking" } | { at: "told"; error: string | null } | { at: "failed"; trouble: unknown };

/** Fetches the proofs of an entry's block and verifies them here, with no word of the gateway's but the bytes. */
export function Verify({ entry, gateway }: { entry: Entry; gateway: Gateway }) {
  const { messages } = useLocale();
  const [answer, setAnswer] = useState<Answer>({ at: "unasked" });
  const ask = () => {
    setAnswer({ at: "asking" });
    verified(entry, gateway).then(
      (error) => setAnswer({ at: "told", error }),
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
                <li>{messages.verifyPin}</li>
              </ul>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** null when the entry's block proves it; else the error's name. The verifier is loaded when it is first asked for. */
async function verified({ points, proof }: Entry, gateway: Gateway): Promise<string | null> {
  const [data, { eventsOf, verify }] = await Promise.all([
    gateway.evidence(proof.block_number),
    import("../verify/verify"),
  ]);
  const { verdict, error } = verify(data, { pin: proof.block_hash });
  if (verdict !== "proven") return error ?? verdict;
  return tellsOf(eventsOf(data), points, proof.contract) ? null : "ClaimFalse";
}
