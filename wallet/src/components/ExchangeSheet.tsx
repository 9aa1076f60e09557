import { useState, type FormEvent } from "react";
import type { Gateway, Offer } from "../api/gateway";
import { Refusal, troubleText } from "../api/problem";
import type { Balance, Exchange } from "../api/types";
import { useLocale } from "../i18n/locale";
import { formatPoints } from "../money/points";
import { AmountField, readAmount } from "./AmountField";
import { Icon } from "./Icon";
import { OfferView } from "./OfferView";
import { Outcome } from "./Outcome";
import { Sheet } from "./Sheet";

type Step =
  | { at: "ask" | "quoting" }
  | { at: "offer" | "working"; offer: Offer; heardAt: number; key: string }
  | { at: "over"; exchange: Exchange };

interface ExchangeSheetProps {
  balance: Balance;
  gateway: Gateway;
  onClose(): void;
}

/** Exchanges one brand's points for another's: ask, see the offer and how long it holds, accept. */
export function ExchangeSheet({ balance, gateway, onClose }: ExchangeSheetProps) {
  const { language, messages } = useLocale();
  const partners = balance.exchange_to;
  const [to, setTo] = useState(partners[0]?.slug ?? "");
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState<string | null>(null);
  const [step, setStep] = useState<Step>({ at: "ask" });
  const target = partners.find((partner) => partner.slug === to);

  const quote = async (event?: FormEvent) => {
    event?.preventDefault();
    const asked = readAmount(text, balance, messages);
    setTrouble(asked.trouble ?? null);
    if (asked.points === undefined) return;
    setStep({ at: "quoting" });
    try {
      const offer = await gateway.quote(balance.brand.slug, to, asked.points);
      setStep({ at: "offer", offer, heardAt: performance.now(), key: crypto.randomUUID() });
    } catch (reason) {
      setTrouble(troubleText(reason, messages));
      setStep({ at: "ask" });
    }
  };

  const accept = async () => {
    if (step.at !== "offer") return;
    setTrouble(null);
    setStep({ ...step, at: "working" });
    try {
      const exchange = await gateway.exchange(step.offer.quote, step.key);
      const { state, error } = exchange.operation;
      if (state === "failed") throw new Refusal(error ?? "", 409);
      setStep({ at: "over", exchange });
    } catch (reason) {
      setTrouble(troubleText(reason, messages));
      // After no answer the same key stays: asking again cannot exchange twice. A refusal changed nothing.
      setStep({ ...step, at: "offer", key: reason instanceof Refusal ? crypto.randomUUID() : step.key });
    }
  };

  return (
    <Sheet title={messages.exchangeTitle(balance.brand.name)} onClose={onClose}>
      {target === undefined ? (
        <p className="quiet">{messages.exchangeNone}</p>
      ) : step.at === "over" ? (
        <Outcome onClose={onClose}>
          {step.exchange.points_out == null
            ? messages.exchangeSent
            : messages.exchangeDone(formatPoints(step.exchange.points_out, target.decimals, language), target.symbol)}
        </Outcome>
      ) : step.at === "offer" || step.at === "working" ? (
        <OfferView
          offer={step.offer}
          heardAt={step.heardAt}
          from={balance.brand}
          to={target}
          trouble={trouble}
          isWorking={step.at === "working"}
          onAccept={() => void accept()}
          onAgain={() => void quote()}
          onChange={() => setStep({ at: "ask" })}
        />
      ) : (
        <form className="form" onSubmit={(event) => void quote(event)} noValidate>
          <AmountField label={messages.amount} balance={balance} text={text} trouble={trouble} onText={setText} />
          <label className="field">
            <span className="field-label">{messages.exchangeTo}</span>
            <span className="field-choice">
              <select value={to} onChange={(event) => setTo(event.target.value)}>
                {partners.map((partner) => (
                  <option key={partner.slug} value={partner.slug}>
                    {partner.name} ({partner.symbol})
                  </option>
                ))}
              </select>
              <Icon name="chevron" />
            </span>
          </label>
          <button type="submit" className="button button-full" disabled={step.at === "quoting"}>
            {step.at === "quoting" ? messages.quoteLoading : messages.quoteGet}
          </button>
        </form>
      )}
    </Sheet>
  );
}
