import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Gateway } from "../api/gateway";
import { Refusal, Unreachable } from "../api/problem";
import type { Hold, IntentionTold } from "../api/types";
import { NotKept, openDesk, type Desk } from "./desk";
import type { Intention, Request } from "./intention";
import { openStore, type Store } from "./store";

const HOLD: Request = { what: "hold", brand: "cafe", points: "500", lifetime_s: 900 };
const MEMBER = "mem_1";

/** A gateway behind a bad line: what it did, by key; and what is lost on the way there and back. */
class Far {
  effects = new Map<string, { points: string; state: Hold["operation"]["state"] }>();
  withdrawn = new Set<string>();
  sent: string[] = [];
  /** For each call in turn: lost before it came, lost after it counted, or answered. Answered when none is left. */
  line: ("lost" | "unanswered" | "answered" | "refused")[] = [];

  private over<T>(work: () => T): Promise<T> {
    const luck = this.line.shift() ?? "answered";
    if (luck === "lost") return Promise.reject(new Unreachable());
    if (luck === "refused") return Promise.reject(new Refusal("ERC20InsufficientBalance", 409));
    try {
      const answer = work();
      return luck === "unanswered" ? Promise.reject(new Unreachable()) : Promise.resolve(answer);
    } catch (refusal) {
      return Promise.reject(refusal as Error);
    }
  }

  hold = (_brand: string, points: string, _s: number, key: string) => {
    this.sent.push(key);
    return this.over(() => {
      if (this.withdrawn.has(key)) throw new Refusal("IdempotencyKeyReused", 422);
      const done = this.effects.get(key) ?? { points, state: "queued" as const };
      this.effects.set(key, done);
      return { id: `hold_${key}`, state: "requested", operation: { state: done.state } } as unknown as Hold;
    });
  };
  exchange = () => Promise.reject(new Error("not asked here")) as never;
  cancel = () => Promise.reject(new Error("not asked here")) as never;
  intention = (key: string) => this.over(() => this.told(key));
  withdraw = (key: string) =>
    this.over(() => {
      if (!this.effects.has(key)) this.withdrawn.add(key);
      return this.told(key);
    });

  private told(key: string): IntentionTold {
    const done = this.effects.get(key);
    const state = this.withdrawn.has(key)
      ? "withdrawn"
      : done === undefined
        ? "unknown"
        : done.state === "confirmed"
          ? "confirmed"
          : "settling";
    return { key, state, operation: done === undefined ? null : { state: done.state, receipt: null } } as unknown as IntentionTold;
  }
}

let far: Far;
let store: Store;
let seen: readonly Intention[];
let settled: number;
const open: Desk[] = [];

/** A page that was just loaded: another desk on the same device. */
function load(): Desk {
  const desk = openDesk({
    member: MEMBER,
    gateway: far as unknown as Gateway,
    store,
    onChange: (intentions) => (seen = intentions),
    onSettled: () => settled++,
  });
  open.push(desk);
  return desk;
}

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  vi.stubGlobal("BroadcastChannel", undefined);
  far = new Far();
  store = openStore();
  seen = [];
  settled = 0;
});

afterEach(() => {
  for (const desk of open.splice(0)) desk.close();
  vi.unstubAllGlobals();
});

const states = () => seen.map((one) => one.state);
/** Asks until it is so; what is being sent just now is not asked about. */
const asked = (desk: Desk, ...wanted: string[]) =>
  vi.waitFor(async () => {
    await desk.ask();
    expect(states()).toEqual(wanted);
  });
const becomes = (...wanted: string[]) => vi.waitFor(() => expect(states()).toEqual(wanted));

/** SPEC 10.12, 10.14 */
describe("what a member wants once", () => {
  test("is on the disk before anything is sent", async () => {
    const written: string[][] = [];
    const hold = far.hold;
    far.hold = (...asked) => {
      written.push(seen.map((one) => `${one.key} ${one.state}`));
      return hold(...asked);
    };
    const key = await load().begin(HOLD);
    await becomes("settling");

    expect(written).toEqual([[`${key} unknown`]]);
    expect((await store.ofMember(MEMBER)).map((one) => one.key)).toEqual([key]);
  });

  test("is not sent when it cannot be kept", async () => {
    vi.spyOn(store, "put").mockRejectedValue(new Error("disk full"));

    await expect(load().begin(HOLD)).rejects.toBeInstanceOf(NotKept);
    expect(far.sent).toEqual([]);
  });

  test("is found after a reload, asked about, and not sent a second time", async () => {
    far.line = ["unanswered", "lost"];
    const first = load();
    await first.begin(HOLD);
    await becomes("unknown");
    first.close();

    await asked(load(), "settling");

    expect(far.sent).toHaveLength(1);
    expect(far.effects.size).toBe(1);
  });

  test("that never came is told as such; sent again it has the same key, withdrawn it never counts", async () => {
    far.line = ["lost"];
    const desk = load();
    const key = await desk.begin(HOLD);
    await asked(desk, "absent");
    await desk.send(key);
    await becomes("settling");
    expect(far.sent).toEqual([key, key]);

    far.line = ["lost"];
    const other = await desk.begin(HOLD);
    await asked(desk, "absent", "settling");
    await desk.withdraw(other);
    await becomes("withdrawn", "settling");
    // The first one was only late.
    await expect(far.hold("cafe", "500", 900, other)).rejects.toMatchObject({ error: "IdempotencyKeyReused" });
    expect([...far.effects.keys()]).toEqual([key]);
  });

  test("that counted although no answer came is not withdrawn", async () => {
    far.line = ["unanswered"];
    const desk = load();
    const key = await desk.begin(HOLD);
    await becomes("unknown");
    await desk.withdraw(key);
    await becomes("settling");
  });

  test("that was refused says why, stays, and is taken off by the member alone", async () => {
    far.line = ["refused"];
    const desk = load();
    const key = await desk.begin(HOLD);
    await becomes("refused");

    expect(seen[0]?.error).toBe("ERC20InsufficientBalance");
    expect(settled).toBe(1);
    desk.close();
    const again = load();
    await becomes("refused");
    await again.dismiss(key);
    await becomes();
  });

  test("that is not over is not taken off", async () => {
    far.line = ["unanswered"];
    const desk = load();
    const key = await desk.begin(HOLD);
    await becomes("unknown");
    await desk.dismiss(key);

    expect(await store.ofMember(MEMBER)).toHaveLength(1);
  });

  test.each(["SessionExpired", "IdempotencyKeyReused", "Status404"])("%s is no word on it", async (error) => {
    far.hold = () => Promise.reject(new Refusal(error, 400));
    await load().begin(HOLD);

    await becomes("unknown");
  });

  test("of another member is nobody's business", async () => {
    await load().begin(HOLD);
    await becomes("settling");

    expect(await store.ofMember("mem_2")).toEqual([]);
  });

  test("counts at most once, whatever the line does and whatever the member presses, and its end is told", async () => {
    const luck = fc.constantFrom("lost" as const, "unanswered" as const, "answered" as const);
    const press = fc.constantFrom("reload" as const, "ask" as const, "send" as const, "withdraw" as const);
    await fc.assert(
      fc.asyncProperty(fc.array(luck, { maxLength: 12 }), fc.array(press, { maxLength: 8 }), async (line, presses) => {
        vi.stubGlobal("indexedDB", new IDBFactory());
        far = new Far();
        store = openStore();
        far.line = line;
        let desk = load();
        const key = await desk.begin(HOLD);
        for (const press of presses) {
          if (press === "reload") {
            desk.close();
            desk = load();
          } else if (press === "ask") await desk.ask();
          else await desk[press](key);
        }
        far.line = [];
        await vi.waitFor(async () => {
          await desk.ask();
          expect(["settling", "absent", "withdrawn"]).toContain(seen[0]?.state);
        });
        desk.close();

        expect(seen).toHaveLength(1);
        expect(far.effects.size).toBeLessThanOrEqual(1);
        // What the screen says is so.
        expect(seen[0]?.state === "settling").toBe(far.effects.has(key));
        expect(seen[0]?.state === "withdrawn").toBe(far.withdrawn.has(key));
      }),
      { numRuns: 60 },
    );
  });
});

/** SPEC 10.22, 10.23 */
test("what a session saw is kept beside what was set aside, of one session at a time", async () => {
  const known = (session: string) => ({ session, view: {} as never, entries: [], at: 1 });
  const hold = { id: "hold_1" } as Hold;
  await store.keepHolds("a", [hold]);
  expect(await store.known("a")).toBeUndefined();

  await store.keep(known("a"));
  await store.keepHolds("a", [hold]);
  await store.keep({ ...known("a"), at: 2 });
  expect(await store.known("a")).toMatchObject({ at: 2, holds: [hold] });

  await store.keep(known("b"));
  expect(await store.known("a")).toBeUndefined();
  expect((await store.known("b"))?.holds).toBeUndefined();
});
