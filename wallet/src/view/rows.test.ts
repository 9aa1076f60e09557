import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Balance, Entry, EntryPage } from "../api/types";
import { begun, type Intention } from "../intentions/intention";
import { owned } from "./facts";
import { rowsOf, sumOf, type Row } from "./rows";
import { EMPTY, learn } from "./wallet";

const BRANDS = ["cafe", "tea"].map((slug) => ({ slug, name: slug, symbol: slug.toUpperCase(), colour: "#123456", decimals: 2 }));

/** A member's points as the contracts keep them: lots that end at their second, holds that remember theirs. */
class Ledger {
  entries: Entry[] = [];
  private lots = new Map<string, { ends: number; points: bigint }[]>(BRANDS.map(({ slug }) => [slug, []]));
  private holds: { slug: string; lots: { ends: number; points: bigint }[]; captured: bigint; state: "held" | "over" }[] = [];
  private now = 0;
  /** The second of the newest block: what ended since has no line yet. */
  private block = 0;
  private grace: boolean;

  constructor(grace: boolean) {
    this.grace = grace;
  }

  private live = (slug: string, at = this.now) => this.lots.get(slug)!.filter((lot) => lot.ends > at);
  private spendable = (slug: string, at = this.now) => this.live(slug, at).reduce((sum, lot) => sum + lot.points, 0n);

  /** A block comes: what ended until its second has its line first. */
  private mine(): void {
    for (const { slug } of BRANDS) {
      const ended = this.lots.get(slug)!.filter((lot) => lot.ends > this.block && lot.ends <= this.now);
      for (const lot of ended) this.line(slug, "expire", -lot.points, 0n);
      this.lots.set(slug, this.live(slug));
    }
    this.block = this.now;
  }

  private line(slug: string, kind: string, points: bigint, held: bigint): void {
    const brand = BRANDS.find((one) => one.slug === slug)!;
    const proof = { tx_hash: "0x", block_number: 1, block_hash: "0x", log_index: 0, contract: "0x" };
    this.entries.unshift({
      id: `${this.entries.length + 1}`, brand, kind, points: points.toString(), held_delta: held.toString(), decimals: 2,
      at: new Date(this.now * 1000).toISOString(), state: "latest", proof, related: [], detail: {},
    });
  }

  private take(slug: string, points: bigint): { ends: number; points: bigint }[] {
    const taken = [];
    for (const lot of this.live(slug).sort((one, other) => one.ends - other.ends)) {
      const part = lot.points < points ? lot.points : points;
      if (part === 0n) continue;
      lot.points -= part;
      points -= part;
      taken.push({ ends: lot.ends, points: part });
    }
    return taken;
  }

  private give(slug: string, lots: { ends: number; points: bigint }[]): bigint {
    let back = 0n;
    for (const { ends, points } of lots) {
      if (ends <= this.now && !this.grace) continue;
      this.lots.get(slug)!.push({ ends: ends > this.now ? ends : this.now + 5, points });
      back += points;
    }
    return back;
  }

  act({ what, slug, share, wait }: Act): void {
    this.now += wait;
    if (what === "wait") return;
    this.mine();
    const has = this.spendable(slug);
    const points = (has * BigInt(share)) / 100n;
    const hold = this.holds.find((one) => one.slug === slug && one.state === "held");
    const paid = this.holds.find((one) => one.slug === slug && one.captured > 0n);
    if (what === "award") {
      this.lots.get(slug)!.push({ ends: this.now + 10, points: BigInt(share) });
      this.line(slug, "award", BigInt(share), 0n);
    } else if (what === "hold" && points > 0n) {
      this.holds.push({ slug, lots: this.take(slug, points), captured: 0n, state: "held" });
      this.line(slug, "hold", -points, points);
    } else if ((what === "capture" || what === "release") && hold !== undefined) {
      const all = hold.lots.reduce((sum, lot) => sum + lot.points, 0n);
      const gone = what === "release" ? 0n : (all * BigInt(share)) / 100n || all;
      let left = gone;
      const rest = [];
      for (const lot of hold.lots) {
        const part = lot.points < left ? lot.points : left;
        left -= part;
        if (lot.points > part) rest.push({ ends: lot.ends, points: lot.points - part });
      }
      hold.state = "over";
      hold.captured = gone;
      this.line(slug, what, this.give(slug, rest), -all);
    } else if (what === "refund" && paid !== undefined) {
      const back = this.give(slug, [{ ends: this.now + (share % 20) - 10, points: paid.captured }]);
      paid.captured = 0n;
      this.line(slug, "refund", back, 0n);
    } else if (what === "exchange" && points > 0n) {
      const to = BRANDS.find((one) => one.slug !== slug)!.slug;
      this.take(slug, points);
      this.lots.get(to)!.push({ ends: this.now + 10, points: points / 2n });
      this.line(slug, "exchange_out", -points, 0n);
      this.line(to, "exchange_in", points / 2n, 0n);
    } else if (what === "send" && points > 0n) {
      this.take(slug, points);
      this.line(slug, "transfer_out", -points, 0n);
    }
  }

  balance(slug: string): Balance {
    const brand = BRANDS.find((one) => one.slug === slug)!;
    const spendable = this.spendable(slug);
    const held = this.holds
      .filter((one) => one.slug === slug && one.state === "held")
      .reduce((sum, one) => sum + one.lots.reduce((all, lot) => all + lot.points, 0n), 0n);
    const expired = this.spendable(slug, this.block) - spendable;
    return {
      brand, decimals: 2, spendable: spendable.toString(), held: held.toString(), pending: "0", reserved: "0",
      debt: "0", expired: expired.toString(), expiring: [], exchange_to: [], locked: "0", unlocking: [], token: "0x",
    };
  }
}

interface Act {
  what: "award" | "hold" | "capture" | "release" | "refund" | "exchange" | "send" | "wait";
  slug: string;
  share: number;
  wait: number;
}

const act: fc.Arbitrary<Act> = fc.record({
  what: fc.constantFrom("award", "award", "hold", "capture", "release", "refund", "exchange", "send", "wait"),
  slug: fc.constantFrom("cafe", "tea"),
  share: fc.integer({ min: 1, max: 100 }),
  wait: fc.integer({ min: 0, max: 4 }),
});

function shown(entries: readonly Entry[], balances: Balance[], intentions: Intention[] = []): Row[] {
  return rowsOf({ entries, balances, intentions, brand: null, block: 7, periodOf: () => "Today", wishesText: "Under way" });
}

/** SPEC 10.15 */
describe("the lines of a brand", () => {
  test("make up its balance at every moment of any history", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), fc.boolean(), (acts, grace) => {
        const ledger = new Ledger(grace);
        for (const one of acts) {
          ledger.act(one);
          const balances = BRANDS.map(({ slug }) => ledger.balance(slug));
          const rows = shown(ledger.entries, balances);
          for (const balance of balances) {
            const { slug } = balance.brand;
            // What ended at this second is gone from the sum with its own line, before the chain has one.
            expect(sumOf(rows, slug)).toBe(owned(balance) - BigInt(balance.expired));
            expect(sumOf(rows, slug)).toBe(BigInt(balance.spendable) + BigInt(balance.held));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("are the same lines however they came: by pages, by the stream, twice, in any order", () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 5, maxLength: 30 }), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 9 }), (acts, size, cut) => {
        const ledger = new Ledger(false);
        for (const one of acts) ledger.act(one);
        const all = ledger.entries;
        const late = all.slice(0, Math.min(cut, all.length));
        const early = all.slice(late.length);
        const page = (from: number): EntryPage => ({
          entries: early.slice(from, from + size),
          next_cursor: from + size < early.length ? `${from + size}` : null,
          as_of: {} as never,
        });
        let wallet = learn(EMPTY, { fact: "head", brand: null, page: page(0) });
        for (const entry of [...late].reverse()) {
          wallet = learn(wallet, { fact: "entry", entry });
          wallet = learn(wallet, { fact: "entry", entry });
        }
        while (wallet.cursor !== null) {
          wallet = learn(wallet, { fact: "more", brand: null, after: wallet.cursor, page: page(Number(wallet.cursor)) });
        }
        expect(wallet.entries?.map((entry) => entry.id)).toEqual(all.map((entry) => entry.id));
      }),
    );
  });
});

/** SPEC 10.16 */
test("what is wanted stays a line until the view shows its end; what was dropped was never one", () => {
  const wish = begun("mem", { what: "hold", brand: "cafe", points: "5", lifetime_s: 900 }, "k", 1);
  const lines = (state: Intention["state"], block: number | null = null) => shown([], [], [{ ...wish, state, block }]).length;

  expect(["unknown", "absent", "settling", "refused"].map((state) => lines(state as Intention["state"]))).toEqual([1, 1, 1, 1]);
  expect([lines("confirmed", 8), lines("confirmed", 7), lines("withdrawn")]).toEqual([1, 0, 0]);
});

/** SPEC 10.20 */
test("a line that cannot be read leaves the others as they are", () => {
  const ledger = new Ledger(false);
  ledger.act({ what: "award", slug: "cafe", share: 50, wait: 0 });
  ledger.act({ what: "award", slug: "cafe", share: 7, wait: 0 });
  const [newest, oldest] = ledger.entries as [Entry, Entry];

  const rows = shown([{ ...newest, points: "7.5", id: "x" }, oldest], []);

  expect(rows).toHaveLength(2);
  expect(sumOf(rows, "cafe")).toBe(50n);
});
