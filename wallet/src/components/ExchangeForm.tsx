import { useState, type FormEvent } from "react";
import type { Gateway, Offer } from "../api/gateway";
import { troubleText } from "../api/problem";
import type { Balance } from "../api/types";
import { useLocale } from "../i18n/locale";
import type { Request } from "../intentions/intention";
import { Icon } from "../ui/Icon";
import { AmountField, readAmount } from "./AmountField";
import { OfferView } from "./OfferView";

type Step = { at: "ask" | "quoting" } | { at: "offer"; offer: Offer; heardAt: number };

interface ExchangeFormProps {
  balance: Balance;
  free: string;
  gateway: Gateway;
  trouble: string | null;
  onWant(request: Request): void;
}

/** Exchanges one brand's points for another's: ask, see the offer and how long it holds, accept. */
export function ExchangeForm({ balance, free, gateway, trouble, onWant }: ExchangeFormProps) {
  const { language, messages } = useLocale();
  const partners = balance.exchange_to;
  const [to, setTo] = useState(partners[0]?.slug ?? "");
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const type = (typed: string) => {
    setText(typed);
    setWrong(null);
  };
  const [step, setStep] = useState<Step>({ at: "ask" });
  const target = partners.find((partner) => partner.slug === to);

  const quote = async (event?: FormEvent) => {
    event?.preventDefault();
    const asked = readAmount(text, balance, free, messages, language);
    setWrong(asked.trouble ?? null);
    if (asked.points === undefined) return setStep({ at: "ask" });
    setStep({ at: "quoting" });
    try {
      const offer = await gateway.quote(balance.brand.slug, to, asked.points);
      setStep({ at: "offer", offer, heardAt: performance.now() });
    } catch (reason) {
      setWrong(troubleText(reason, messages, "quote"));
      setStep({ at: "ask" });
    }
  };
  const accept = ({ quote }: Offer) =>
    onWant({
      what: "exchange",
      brand: quote.from,
      points: quote.points_in,
      to: quote.to,
      minimum_out: quote.minimum_out,
      version: quote.agreement.version,
    });

  if (target === undefined) return <p className="quiet">{messages.exchangeNone}</p>;
  if (step.at === "offer") {
    return (
      <OfferView
        offer={step.offer}
        heardAt={step.heardAt}
        from={balance.brand}
        to={target}
        trouble={trouble}
        onAccept={() => accept(step.offer)}
        onAgain={() => void quote()}
        onChange={() => setStep({ at: "ask" })}
      />
    );
  }
  return (
    <form className="form" onSubmit={(event) => void quote(event)} noValidate>
      <AmountField label={messages.amount} balance={balance} free={free} text={text} trouble={wrong} onText={type} />
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
  );
}
