/**
 * Something that a member wants of the ledger, once: named by one key from before it is sent until its end is known.
 *
 *     unknown ──> settling ──> confirmed
 *        │  ^         └──────> refused      why is known, nothing changed
 *        v  │
 *      absent ──────────────> withdrawn     it never came, and never will
 *
 * `unknown`: it may have been sent, no answer is known. `absent`: the gateway has never heard of it. An end stays.
 */
import type { Exchange, Hold, IntentionTold } from "../api/types";

export type Request =
  | { what: "hold"; brand: string; points: string; lifetime_s: number }
  | { what: "exchange"; brand: string; points: string; to: string; minimum_out: string; version: number }
  | { what: "cancel"; brand: string; points: string; hold: string };

export type IntentionState = "unknown" | "absent" | "settling" | "confirmed" | "refused" | "withdrawn";

export interface Intention {
  /** Its idempotency key, and its name here. */
  key: string;
  member: string;
  request: Request;
  /** When the member wanted it, in ms of this device's clock. */
  at: number;
  state: IntentionState;
  /** Why it was refused: the error's name. */
  error: string | null;
  /** The hold that it placed. */
  hold: string | null;
  /** The points that it brought at the other brand. */
  received: string | null;
  /** The block that has it. */
  block: number | null;
  /** This page is asking for it just now. Never kept. */
  isSending?: boolean;
}

/** What is known of an intention after an answer. */
export interface Answer {
  state: IntentionState;
  error?: string | null;
  hold?: string | null;
  received?: string | null;
  block?: number | null;
}

const ENDS: readonly IntentionState[] = ["confirmed", "refused", "withdrawn"];

export function begun(member: string, request: Request, key: string, at: number): Intention {
  return { key, member, request, at, state: "unknown", error: null, hold: null, received: null, block: null };
}

export function isOver(intention: Intention): boolean {
  return ENDS.includes(intention.state);
}

/** Whether it must be settled with the member before anything new is offered. */
export function isOpen(intention: Intention): boolean {
  return intention.state === "unknown" || intention.state === "absent";
}

/** The intention after an answer. What is over stays as it ended; what was taken up is never said to be absent again. */
export function answered(intention: Intention, answer: Answer): Intention {
  if (isOver(intention)) return intention;
  const wasTaken = intention.state === "settling";
  if (wasTaken && (answer.state === "absent" || answer.state === "unknown")) return intention;
  return {
    ...intention,
    state: answer.state,
    error: answer.error ?? null,
    hold: answer.hold ?? intention.hold,
    received: answer.received ?? intention.received,
    block: answer.block ?? intention.block,
  };
}

type Operation = Hold["operation"];

function ofOperation(operation: Operation): Answer {
  const block = operation.receipt?.block_number ?? null;
  if (operation.state === "confirmed") return { state: "confirmed", block };
  if (operation.state === "failed") return { state: "refused", error: operation.error ?? null };
  return { state: "settling" };
}

/** What a hold that was placed, or given back, says. */
export function ofHold(hold: Hold): Answer {
  if (hold.state === "refused") return { state: "refused", error: hold.operation.error ?? null };
  return { ...ofOperation(hold.operation), hold: hold.id };
}

export function ofExchange(exchange: Exchange): Answer {
  return { ...ofOperation(exchange.operation), received: exchange.points_out };
}

/** What the gateway says when it is asked by the key. */
export function ofTold(told: IntentionTold): Answer {
  if (told.state === "unknown") return { state: "absent" };
  return {
    state: told.state,
    error: told.operation?.error ?? null,
    hold: told.hold?.id ?? null,
    received: told.exchange?.points_out ?? null,
    block: told.operation?.receipt?.block_number ?? null,
  };
}
