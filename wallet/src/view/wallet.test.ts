import { describe, expect, test } from "vitest";
import type { AsOf, Entry, EntryPage, MemberView } from "../api/types";
import { ageSeconds, freshness } from "./freshness";
import { EMPTY, learn, type Fact, type Wallet } from "./wallet";

/** SPEC 10.5, 10.7 */
describe("what the wallet knows", () => {
  test("a view of an older block is not shown, unless the chain took blocks back", () => {
    const known = after({ fact: "view", view: view(12, "500"), now: 0 });

    expect(learn(known, { fact: "view", view: view(11, "400"), now: 1 }).view).toBe(known.view);
    expect(learn(known, { fact: "block", as_of: asOf(11), now: 1 }).view).toBe(known.view);

    const back = learn(known, { fact: "view", view: view(11, "400", true), now: 1 });
    expect(back.view?.balances[0]?.spendable).toBe("400");
  });

  test("a page of another brand, or one asked for before, is not mixed in", () => {
    const known = after({ fact: "brand", brand: "cafe" }, { fact: "head", brand: "cafe", page: page(["3"], "3") });

    expect(learn(known, { fact: "head", brand: null, page: page(["9"]) })).toBe(known);
    expect(learn(known, { fact: "more", brand: "cafe", after: "7", page: page(["2"]) })).toBe(known);
    expect(ids(learn(known, { fact: "more", brand: "cafe", after: "3", page: page(["2", "1"]) }))).toEqual("321".split(""));
  });

  test("a chosen brand shows what is at hand at once, and then its own page", () => {
    const known = after({ fact: "head", brand: null, page: page(["5", "3"], "3") }, { fact: "brand", brand: "cafe" });
    const other = after({ fact: "head", brand: null, page: page(["5", "3"], "3") }, { fact: "brand", brand: "books" });

    expect(ids(known)).toEqual(["5", "3"]);
    expect(ids(other)).toEqual([]);
    const paged = learn(known, { fact: "head", brand: "cafe", page: page(["5", "2"], "2") });
    expect(ids(paged)).toEqual(["5", "2"]);
    expect(paged.arrived.size).toBe(0);
  });

  test("an entry that arrives stands once, in its place, and is marked as new", () => {
    const known = after({ fact: "head", brand: null, page: page(["5", "3"]) });
    const twice = [entry("6"), entry("6"), entry("4"), entry("1")].reduce(
      (wallet, one) => learn(wallet, { fact: "entry", entry: one }),
      known,
    );

    expect(ids(twice)).toEqual(["6", "5", "4", "3"]);
    expect([...twice.arrived]).toEqual(["6", "4"]);
    expect(known.arrived.size).toBe(0);
  });

  test("the newest page read again drops what the chain took back and keeps older pages", () => {
    const known = after(
      { fact: "head", brand: null, page: page(["6", "5"], "5") },
      { fact: "more", brand: null, after: "5", page: page(["4", "3"], "3") },
    );

    const read = learn(known, { fact: "head", brand: null, page: page(["8", "7", "5"], "5") });
    const apart = learn(known, { fact: "head", brand: null, page: page(["99", "98"], "98") });

    expect(ids(read)).toEqual(["8", "7", "5", "4", "3"]);
    expect(read.cursor).toBe("3");
    expect(ids(apart)).toEqual(["99", "98"]);
    expect(apart.cursor).toBe("98");
  });

  /** SPEC 9.30 */
  test("after a reset nothing that was numbered before is mixed with what comes", () => {
    const known = after(
      { fact: "head", brand: null, page: page(["6", "5"], "old.5") },
      { fact: "entry", entry: entry("7") },
    );
    const reset = learn(known, { fact: "reset" });

    expect(reset.resets).toBe(known.resets + 1);
    expect([reset.cursor, reset.arrived.size]).toEqual([null, 0]);
    expect(learn(reset, { fact: "more", brand: null, after: "old.5", page: page(["4"]) })).toBe(reset);
    expect(learn(reset, { fact: "entry", entry: entry("6") })).toBe(reset);
    const read = learn(reset, { fact: "head", brand: null, page: page(["2", "1"], "new.1") });
    expect(ids(read)).toEqual(["2", "1"]);
    expect([read.cursor, read.arrived.size, read.isPassing]).toEqual(["new.1", 0, false]);
    expect(ids(learn(read, { fact: "entry", entry: entry("3") }))).toEqual(["3", "2", "1"]);
  });

  test("an age counts from when it was heard; a dead stream and a quiet chain are told apart", () => {
    const known = after({ fact: "view", view: view(12, "500"), now: 1000 }, { fact: "stream", state: "live", now: 1000 });
    const cut = learn(known, { fact: "stream", state: "down", now: 1000 });

    expect(ageSeconds(known, 3000)).toBe(2.5);
    expect(freshness(known, 3000)).toBe("live");
    expect(freshness(known, 30_000)).toBe("silent");
    expect(freshness(learn(known, { fact: "pulse", now: 29_000 }), 30_000)).toBe("quiet");
    expect(freshness(cut, 2000)).toBe("connecting");
    expect(freshness(cut, 9000, false)).toBe("offline");
  });
});

/** SPEC 10.22 */
describe("what the device remembers", () => {
  const known = { session: "s", view: view(12, "500"), entries: [entry("5")], at: 100_000 };

  test("is shown as such, with its age, until somebody says something", () => {
    const remembered = after({ fact: "known", known, now: 1000, wall: 160_000 });

    expect([remembered.isRemembered, ids(remembered)]).toEqual([true, ["5"]]);
    expect(ageSeconds(remembered, 1000)).toBe(60.5);
    expect(freshness(remembered, 20_000, false)).toBe("offline");
    // A block that is told alone is not of these figures.
    expect(learn(remembered, { fact: "block", as_of: asOf(13), now: 2000 }).isRemembered).toBe(true);
    const told = learn(remembered, { fact: "view", view: view(13, "700"), now: 2000 });
    expect([told.isRemembered, told.view?.balances[0]?.spendable]).toEqual([false, "700"]);
  });

  test("never stands over what was said, nor leads back in time", () => {
    const said = after({ fact: "view", view: view(13, "700"), now: 0 });
    expect(learn(said, { fact: "known", known, now: 1000, wall: 160_000 })).toBe(said);

    const remembered = after({ fact: "known", known, now: 1000, wall: 160_000 });
    expect(learn(remembered, { fact: "view", view: view(11, "1"), now: 2000 }).view?.balances[0]?.spendable).toBe("500");
  });
});

function after(...facts: Fact[]): Wallet {
  return facts.reduce(learn, EMPTY);
}

function ids(wallet: Wallet): string[] {
  return (wallet.entries ?? []).map((one) => one.id);
}

function asOf(block: number, reorganised = false): AsOf {
  return { block_number: block, block_hash: "0x", block_time: "", finality: "latest", age_s: 0.5, reorganised };
}

const BRAND = { slug: "cafe", name: "Café", symbol: "CAF", colour: "#123456", decimals: 2 };

function view(block: number, spendable: string, reorganised = false): MemberView {
  const balance = { brand: BRAND, decimals: 2, spendable, held: "0", pending: "0", reserved: "0", expired: "0", debt: "0", expiring: [], exchange_to: [], locked: "0", unlocking: [], token: "0x" };
  return { member: { id: "mem", address: "0x" }, as_of: asOf(block, reorganised), balances: [balance] };
}

function entry(id: string): Entry {
  const proof = { tx_hash: "0x", block_number: 1, block_hash: "0x", log_index: 0, contract: "0x" };
  return {
    id, brand: BRAND, kind: "award", points: "100", held_delta: "0", decimals: 2, at: "2026-01-01T00:00:00Z",
    state: "latest", proof, related: [], detail: {},
  };
}

function page(of: string[], next: string | null = null): EntryPage {
  return { entries: of.map(entry), next_cursor: next, as_of: asOf(1) };
}
