/**
 * Carries what a member wants to the gateway, each thing once. It is kept on the device before it is sent; after no
 * answer it is asked about, never sent again by itself; only the member sends it again, under the same key.
 */
import type { Gateway } from "../api/gateway";
import { Refusal } from "../api/problem";
import { answered, begun, isOpen, isOver, ofExchange, ofHold, ofTold, type Answer, type Intention, type Request } from "./intention";
import type { Store } from "./store";

/** How often what is open or settling is asked about, and how much of it at once. */
const ASK_MS = 3_000;
const ASK_MAX = 5;
const CHANNEL = "moa.intentions";

/** The device could not keep it, so nothing was sent. */
export class NotKept extends Error {}

export interface DeskOptions {
  member: string;
  gateway: Pick<Gateway, "hold" | "exchange" | "cancel" | "intention" | "withdraw">;
  store: Store;
  onChange(intentions: readonly Intention[]): void;
  /** Something reached its end: what the member has is another amount. */
  onSettled(): void;
}

export interface Desk {
  /** Keeps and sends something new; resolves with its key once it is kept. */
  begin(request: Request): Promise<string>;
  /** Sends again what never came, under its own key. */
  send(key: string): Promise<void>;
  /** Asks what became of all that is not over. */
  ask(): Promise<void>;
  /** Makes sure that it does not count; it may turn out that it did. */
  withdraw(key: string): Promise<void>;
  /** Takes what is over off the screen. */
  dismiss(key: string): Promise<void>;
  close(): void;
}

export function openDesk({ member, gateway, store, onChange, onSettled }: DeskOptions): Desk {
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  const sending = new Set<string>();
  let known: readonly Intention[] = [];
  let isClosed = false;

  async function look(): Promise<void> {
    // A browser that keeps nothing has nothing open either: begin() refuses before it sends.
    const kept = await store.ofMember(member).catch(() => []);
    known = kept.map((one) => (sending.has(one.key) && isOpen(one) ? { ...one, isSending: true } : one));
    if (!isClosed) onChange(known);
  }

  function told(): Promise<void> {
    if (!isClosed) channel?.postMessage(null);
    return look();
  }

  async function apply(key: string, answer: Answer): Promise<void> {
    let isEnd = false;
    await store.change(key, (before) => {
      const after = answered(before, answer);
      isEnd = !isOver(before) && isOver(after);
      return after;
    });
    await told();
    if (isEnd && !isClosed) onSettled();
  }

  async function carry({ key, request }: Intention): Promise<void> {
    if (sending.has(key)) return;
    sending.add(key);
    await look();
    try {
      const answer = await alone(key, () => sent(gateway, request, key));
      sending.delete(key);
      await apply(key, answer);
    } catch (reason) {
      // By now it may have been asked about: then that stands.
      sending.delete(key);
      if (isCertain(reason)) await apply(key, { state: "refused", error: reason.error });
      else await told();
    }
  }

  const find = async (key: string) => (await store.ofMember(member)).find((one) => one.key === key);

  async function ask(): Promise<void> {
    await look();
    const open = known.filter((one) => !isOver(one)).slice(0, ASK_MAX);
    await Promise.all(
      open.map(async ({ key }) => {
        const isOurs = sending.has(key);
        const look = () => gateway.intention(key);
        const answer = await (isOurs ? look() : idle(key, look)).catch(() => null);
        // What is being sent just now, here or in another tab, may only not have come yet.
        if (answer !== null && !(isOurs && answer.state === "unknown")) await apply(key, ofTold(answer));
      }),
    );
  }

  channel?.addEventListener("message", () => void look());
  const timer = setInterval(() => void ask(), ASK_MS);
  void ask();

  return {
    async begin(request) {
      const intention = begun(member, request, crypto.randomUUID(), Date.now());
      await store.put(intention).catch((reason: unknown) => {
        throw new NotKept(String(reason));
      });
      void carry(intention).then(told);
      await told();
      return intention.key;
    },
    async send(key) {
      const found = await find(key);
      if (found?.state === "absent") await carry(found);
    },
    ask,
    async withdraw(key) {
      const answer = await gateway.withdraw(key).catch(() => null);
      if (answer !== null) await apply(key, ofTold(answer));
    },
    async dismiss(key) {
      const found = await find(key);
      if (found === undefined || !isOver(found)) return;
      await store.drop(key);
      await told();
    },
    close() {
      isClosed = true;
      clearInterval(timer);
      channel?.close();
    },
  };
}

async function sent(gateway: DeskOptions["gateway"], request: Request, key: string): Promise<Answer> {
  switch (request.what) {
    case "hold":
      return ofHold(await gateway.hold(request.brand, request.points, request.lifetime_s, key));
    case "cancel":
      return ofHold(await gateway.cancel(request.hold, key));
    case "exchange":
      return ofExchange(
        await gateway.exchange(
          {
            from: request.brand,
            to: request.to,
            points_in: request.points,
            minimum_out: request.minimum_out,
            agreement_version: request.version,
          },
          key,
        ),
      );
  }
}

/** Refusals that are no word on what was asked: of who asks, or of the key. They are asked about like no answer. */
const NO_WORD = ["KeyMissing", "KeyInvalid", "SessionExpired", "IdempotencyKeyReused"];

/** Whether a refusal says that nothing changed. An answer without a name may be anybody's on the way. */
function isCertain(reason: unknown): reason is Refusal {
  return reason instanceof Refusal && !/^Status\d+$/.test(reason.error) && !NO_WORD.includes(reason.error);
}

const locks = () => (typeof navigator !== "undefined" && "locks" in navigator ? navigator.locks : null);
const lockName = (key: string) => `moa.intention.${key}`;

/** Does something about an intention while no other tab does. */
function alone<T>(key: string, work: () => Promise<T>): Promise<T> {
  const held = locks();
  return held === null ? work() : (held.request(lockName(key), work) as unknown as Promise<T>);
}

/** The same, or null at once where another tab is at it. */
function idle<T>(key: string, work: () => Promise<T>): Promise<T | null> {
  const held = locks();
  if (held === null) return work();
  const asked = held.request(lockName(key), { ifAvailable: true }, (lock) => (lock === null ? null : work()));
  return asked as unknown as Promise<T | null>;
}
