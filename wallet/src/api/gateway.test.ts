import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openGateway } from "./gateway";
import { Refusal, Unreachable } from "./problem";
import type { ExchangeWanted } from "./gateway";
import type { ExchangeQuote } from "./types";

const QUOTE = {
  from: "cafe",
  to: "books",
  points_in: "100",
  points_out: "66",
  minimum_out: "66",
  agreement: { version: 3 },
  expires_at: "2026-11-30T12:00:30Z",
} as unknown as ExchangeQuote;

const WANTED: ExchangeWanted = { from: "cafe", to: "books", points_in: "100", minimum_out: "66", agreement_version: 3 };

/** SPEC 10.12 */
describe("a member's calls", () => {
  let asked: Request[];
  let answers: (Response | Error)[];
  let refused: number;

  beforeEach(() => {
    asked = [];
    answers = [];
    refused = 0;
    vi.stubGlobal("window", { location: { origin: "http://moa.test" } });
    vi.stubGlobal("fetch", (request: Request) => {
      asked.push(request);
      const answer = answers.shift() ?? json({});
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    });
  });

  afterEach(() => vi.unstubAllGlobals());

  const open = () => openGateway("moa_m_1", () => refused++);
  const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
    new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
  const keys = () => asked.map((request) => request.headers.get("idempotency-key"));

  test("the contracts of evidence are those that the gateway tells, and none that it has not", async () => {
    const [registry, badges, governor] = ["0x5b", "0x5c", "0x5d"];
    answers = [json({ receipts: "0x8c", registry, badges, governor }), json({ receipts: "0x8c", registry, badges: null, governor: null })];
    const gateway = open();

    expect(await gateway.contracts()).toEqual({ registry, badges, governor });
    // As nothing, not as null: the verifier takes any value for the address of a contract.
    expect(await gateway.contracts()).toStrictEqual({ registry });
    expect(asked.map(({ url }) => new URL(url).pathname)).toEqual(Array(2).fill("/.well-known/moa-keys.json"));
  });

  test("an intention that is asked again after no answer has the same key and the same body", async () => {
    answers = [new TypeError("no network"), json({}, 201)];
    const gateway = open();
    await expect(gateway.exchange(WANTED, "k-1")).rejects.toBeInstanceOf(Unreachable);
    await gateway.exchange(WANTED, "k-1");
    await gateway.hold("cafe", "5", 900, "k-2");

    expect(keys()).toEqual(["k-1", "k-1", "k-2"]);
    const bodies = await Promise.all(asked.map((request) => request.text()));
    expect(bodies[0]).toBe(bodies[1]);
    expect(JSON.parse(bodies[0] ?? "")).toEqual({
      from: "cafe",
      to: "books",
      points_in: "100",
      minimum_out: "66",
      agreement_version: 3,
    });
    expect(asked.map((request) => request.headers.get("authorization"))).toEqual(Array(3).fill("Bearer moa_m_1"));
  });

  test.each([
    [409, { error: "OutBelowMinimum" }, "OutBelowMinimum"],
    [503, { error: "NodeUnavailable" }, "NodeUnavailable"],
    [404, {}, "Status404"],
  ])("a refusal (%i) is told by its error's name", async (status, body, error) => {
    answers = [json(body, status)];
    const trouble = await open()
      .exchange(WANTED, "k")
      .catch((reason: unknown) => reason);

    expect(trouble).toBeInstanceOf(Refusal);
    expect(trouble).toMatchObject({ error, status });
    expect(refused).toBe(0);
  });

  test.each([500, 502, 504])("a failure of the gateway itself (%i) says nothing of what happened", async (status) => {
    answers = [json({ error: "InternalError" }, status)];
    await expect(open().hold("cafe", "5", 900, "k")).rejects.toBeInstanceOf(Unreachable);
  });

  test("a session that the gateway no longer knows is said once for each call", async () => {
    answers = [json({ error: "SessionExpired" }, 401)];
    await expect(open().view()).rejects.toMatchObject({ error: "SessionExpired" });
    expect(refused).toBe(1);
  });

  test("an offer counts down by the gateway's clock, whatever the device's says", async () => {
    vi.useFakeTimers({ now: Date.parse("2031-05-05T00:00:00Z") });
    answers = [json(QUOTE, 200, { Date: "Mon, 30 Nov 2026 12:00:00 GMT" })];
    const offer = await open().quote("cafe", "books", "100");
    vi.useRealTimers();

    expect(offer.left_s).toBe(28);
  });
});
