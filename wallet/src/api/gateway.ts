/** The gateway's calls that the wallet makes, typed by its OpenAPI document. */
import createClient from "openapi-fetch";
import { refusalOf, Unreachable } from "./problem";
import type { paths } from "./schema";
import type { Contracts } from "../verify/verify";
import type { Entry, EntryPage, EntryProof, Exchange, ExchangeQuote, Hold, HoldPage, IntentionTold, MemberView } from "./types";

/** Seconds the gateway may wait for the chain before it answers "on its way". */
const WAIT_S = 10;
/** Longer than that, a call counts as unanswered. */
const TIMEOUT_MS = 30_000;
const PAGE_ENTRIES = 50;
const PAGE_HOLDS = 20;

/** A quote, and how long it still holds by the gateway's clock. */
export interface Offer {
  quote: ExchangeQuote;
  left_s: number;
}

export interface Gateway {
  view(): Promise<MemberView>;
  entries(brand: string | null, cursor: string | null): Promise<EntryPage>;
  proof(entry: string): Promise<EntryProof>;
  /** The bytes of the member's own bundle of one block: what `verify` takes. */
  evidence(block: number): Promise<Uint8Array>;
  /** The addresses of the contracts on which the gateway says that all evidence rests, as the verifier takes them. */
  contracts(): Promise<Contracts>;
  quote(from: string, to: string, points: string): Promise<Offer>;
  entry(id: string): Promise<Entry>;
  /** The member's holds, the newest first. */
  holds(): Promise<HoldPage>;
  /** `key` names the intention: asked again with the same key, it counts once. */
  exchange(wanted: ExchangeWanted, key: string): Promise<Exchange>;
  hold(brand: string, points: string, lifetime_s: number, key: string): Promise<Hold>;
  cancel(hold: string, key: string): Promise<Hold>;
  /** What became of what was asked under a key. Asking changes nothing. */
  intention(key: string): Promise<IntentionTold>;
  /** Makes sure that nothing asked under a key counts any more. */
  withdraw(key: string): Promise<IntentionTold>;
  /** Seconds until a moment of the gateway's clock, by that clock. */
  secondsUntil(iso: string): number;
}

export interface ExchangeWanted {
  from: string;
  to: string;
  points_in: string;
  minimum_out: string;
  agreement_version: number;
}

/** Calls with one member's session. `refused` hears when the gateway no longer knows it. */
export function openGateway(token: string, refused: () => void): Gateway {
  const client = createClient<paths>({
    baseUrl: window.location.origin,
    headers: { Authorization: `Bearer ${token}` },
    fetch: (request) => fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" }),
  });

  // Gateway's clock minus ours, in ms: a device with a wrong clock still sees a right countdown.
  let skew = 0;

  async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    const { data, error, response } = await call.catch(() => {
      throw new Unreachable();
    });
    const told = Date.parse(response.headers.get("Date") ?? "");
    // The header is cut to the second and renewed once a second: read two seconds ahead, no countdown promises too much.
    if (!Number.isNaN(told)) skew = told + 2000 - Date.now();
    if (response.ok && data !== undefined) return data;
    if (response.status === 401) refused();
    // A failure of the gateway itself says nothing about whether the operation was taken; a typed 503 does.
    if (response.status >= 500 && response.status !== 503) throw new Unreachable();
    throw refusalOf(error, response.status);
  }

  const writing = (key: string) => ({ "idempotency-key": key, prefer: `wait=${WAIT_S}` });

  return {
    view: () => answer(client.GET("/v1/me/view")),
    entries: (brand, cursor) =>
      answer(client.GET("/v1/me/entries", { params: { query: { brand, cursor, limit: PAGE_ENTRIES } } })),
    proof(entry) {
      return answer(client.GET("/v1/me/entries/{entry_id}/proof", { params: { path: { entry_id: entry } } }));
    },
    async evidence(block) {
      const query = { block, from_block: block };
      return new Uint8Array(await answer(client.GET("/v1/me/evidence", { params: { query }, parseAs: "arrayBuffer" })));
    },
    async contracts() {
      const { registry, badges, governor } = await answer(client.GET("/.well-known/moa-keys.json"));
      return { registry, ...(badges && { badges }), ...(governor && { governor }) };
    },
    async quote(from, to, points) {
      const quote = await answer(client.POST("/v1/exchanges/quote", { body: { from, to, points_in: points } }));
      return { quote, left_s: (Date.parse(quote.expires_at) - Date.now() - skew) / 1000 };
    },
    entry: (id) => answer(client.GET("/v1/me/entries/{entry_id}", { params: { path: { entry_id: id } } })),
    holds: () => answer(client.GET("/v1/me/holds", { params: { query: { limit: PAGE_HOLDS } } })),
    exchange: (wanted, key) => answer(client.POST("/v1/exchanges", { params: { header: writing(key) }, body: { ...wanted } })),
    hold: (brand, points, lifetime_s, key) =>
      answer(
        client.POST("/v1/holds", { params: { header: writing(key) }, body: { brand, points, reward: "", lifetime_s } }),
      ),
    cancel: (hold, key) =>
      answer(
        client.POST("/v1/me/holds/{hold_id}/cancel", { params: { header: writing(key), path: { hold_id: hold } } }),
      ),
    intention: (key) => answer(client.GET("/v1/me/intentions/{key}", { params: { path: { key } } })),
    withdraw: (key) =>
      answer(
        client.POST("/v1/me/intentions/{key}/withdraw", {
          // Withdrawn twice is withdrawn once: the key of the withdrawal follows from what is withdrawn.
          params: { header: { "idempotency-key": `withdraw-${key}` }, path: { key } },
        }),
      ),
    secondsUntil: (iso) => (Date.parse(iso) - Date.now() - skew) / 1000,
  };
}
