/**
 * What can go wrong with a call.
 *
 *     Trouble
 *     ├── Refusal       the gateway or the contract said no, and nothing changed
 *     └── Unreachable   no answer: whether it happened is not known
 */
import type { Messages } from "../i18n/en";

export class Trouble extends Error {}

/** A typed refusal. `error` is the name that the contract, the gateway and the messages share. */
export class Refusal extends Trouble {
  constructor(
    readonly error: string,
    readonly status: number,
  ) {
    super(error);
  }
}

export class Unreachable extends Trouble {}

/** The refusal that an answer carries; one without a problem document is named by its status. */
export function refusalOf(body: unknown, status: number): Refusal {
  const named = typeof body === "object" && body !== null && "error" in body ? body.error : null;
  return new Refusal(typeof named === "string" ? named : `Status${status}`, status);
}

/** The sentence for a trouble, in the member's language. what: a question changes nothing, whether it was answered or not. */
export function troubleText(trouble: unknown, messages: Messages, what: "question" | "quote" = "question"): string {
  if (trouble instanceof Unreachable) return what === "quote" ? messages.errorQuote : messages.errorNetwork;
  if (trouble instanceof Refusal) return refusalText(trouble.error, messages);
  return messages.errorUnknown;
}

/** Why something was refused. */
export function refusalText(error: string | null, messages: Messages): string {
  return messages.errors[error ?? ""] ?? messages.errorUnknown;
}
