import { expect, test } from "vitest";
import type { Balance, Entry } from "../api/types";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { entryLines, kindText, rowPoints } from "./facts";

const CAFE = { slug: "cafe", name: "Café", symbol: "CAF", colour: "#123456", decimals: 2 };
const TEA = { slug: "tea", name: "Tea", symbol: "TEA", colour: "#654321", decimals: 2 };

test("a part of a hold that is spent shows what is gone, what was held and what came back", () => {
  const spent = entry("capture", "3000", { captured: "9000", returned: "3000" }, "-12000");

  expect(rowPoints(spent)).toEqual({ points: "-9000", isMove: false });
  expect(told(spent)).toMatchObject({ "From points on hold": "120.00 CAF", "Returned to you": "30.00 CAF" });
});

/** SPEC 10.15 */
test("a hold and its return are moves within what is owned; what lapsed meanwhile is gone", () => {
  const held = entry("hold", "-5000", { hold_until: "1768478400" }, "5000");
  const back = entry("release", "5000", { returned: "5000", renewed: "0", lapsed: "0" }, "-5000");
  const less = entry("timeout", "4000", { returned: "4000", renewed: "0", lapsed: "1000" }, "-5000");

  expect(rowPoints(held)).toEqual({ points: "5000", isMove: true });
  expect(rowPoints(back)).toEqual({ points: "5000", isMove: true });
  expect(rowPoints(less)).toEqual({ points: "-1000", isMove: false });
  expect(told(less)).toMatchObject({ "Expired meanwhile": "10.00 CAF", "Returned to you": "40.00 CAF" });
});

/** SPEC 10.20 */
test("an entry whose amount cannot be read has none, and the rest of it is told", () => {
  const broken = entry("award", "12.5", {});

  expect(rowPoints(broken)).toEqual({ points: "", isMove: false });
  expect(Object.keys(told(broken))).toEqual(["Time"]);
});

/** SPEC 10.19 */
test("an award is of the day on which it was earned, and says when the chain had it", () => {
  const lines = told({ ...entry("award", "100", {}), occurred_at: "2025-12-24T12:00:00Z" });

  expect(lines["Bought"]).toContain("24 Dec 2025");
  expect(lines["On the chain"]).toContain("1 Jan 2026");
});

test("an exchange shows both sides and the fee, each with its own symbol", () => {
  const detail = { from_token: "0xAA", to_token: "0xbb", points_in: "2500", points_out: "29400", fee: "600" };

  expect(told(entry("exchange_out", "-2500", detail))).toMatchObject({
    "You gave": "25.00 CAF",
    "You received": "294.00 TEA",
    Fee: "6.00 TEA",
  });
});

test("a detail that is not what it should be is left out", () => {
  const detail = { from_token: "0xcc", points_in: 12.5, points_out: "1e9", fee: null, to_token: "0xbb" };

  expect(Object.keys(told(entry("exchange_out", "-2500", detail)))).toEqual(["Time"]);
  expect(Object.keys(told(entry("hold", "-100", { hold_until: "soon" })))).toEqual(["Yours as before", "Time"]);
});

test("an award shows its formula and cites its rule", () => {
  const rule = {
    id: "1", version: 3, name: "purchase", base_amount: "2933", base_decimals: 2, currency: "USD",
    numerator: "3", denominator: "2", return_window_s: 2_592_000, shortfall: "debt" as const,
  };
  expect(told({ ...entry("award", "4399", {}), rule, reference: "order-7" })).toMatchObject({
    "Worked out as": "29.33 USD × 1.5 → 43.99 CAF",
    Rule: "Purchase, version 3",
    Order: "order-7",
    Returns: "Within 30 days; points you have spent by then are owed",
  });
});

/** SPEC 10.27 */
test.each([
  [en, "en", "Goods returned", "Owed, because it was spent", "Paid what you owed"],
  [ko, "ko", "반품 회수", "이미 써서 갚아야 할 포인트", "갚은 포인트"],
])("goods that came back say what was taken, and what is owed or forgiven instead", (messages, language, kind, label, paid) => {
  const lines = (detail: Entry["detail"]) =>
    Object.fromEntries(
      entryLines({ ...entry("return", "-300", detail), reference: "return-7" }, { language, messages, balances: [] }),
    );
  const owing = lines({ award: "1", base_amount: "1000", standing: "0", owed: "1200", forgiven: "0" });
  const forgiving = lines({ award: "1", base_amount: "1000", standing: "0", owed: "0", forgiven: "1200" });

  expect(kindText(entry("return", "-300", {}), messages.kinds)).toBe(kind);
  expect(kindText(entry("debt_paid", "-300", {}), messages.kinds)).toBe(paid);
  expect(owing[label]).toBe("12.00 CAF");
  expect(owing[messages.goodsReturn]).toBe("return-7");
  expect(owing).not.toHaveProperty(messages.forgivenInstead);
  expect(forgiving[messages.forgivenInstead]).toBe("12.00 CAF");
  expect(forgiving).not.toHaveProperty(label);
});

test.each([
  [en, "en", "Expired", "Ended", "15 Jan 2026"],
  [ko, "ko", "소멸", "소멸 시각", "2026년 1월 15일"],
])("points that ended have a line that says when, without a transaction", (messages, language, kind, label, when) => {
  const ended: Entry = {
    ...entry("expire", "-700", { expiry_epoch: "13", expires_at: "1768478400" }),
    proof: { tx_hash: null, block_number: 9, block_hash: "0x", log_index: null, contract: "0xaa" },
  };
  const lines = Object.fromEntries(entryLines(ended, { language, messages, balances: [] }));

  expect(kindText(ended, messages.kinds)).toBe(kind);
  expect(rowPoints(ended).points).toBe("-700");
  expect(lines[label]).toContain(when);
});

function told(of: Entry): Record<string, string> {
  return Object.fromEntries(entryLines(of, { language: "en", messages: en, balances: [balance(CAFE, "0xaa"), balance(TEA, "0xBB")] }));
}

function balance(brand: typeof CAFE, token: string): Balance {
  return { brand, decimals: 2, spendable: "0", held: "0", pending: "0", reserved: "0", expired: "0", debt: "0", expiring: [], exchange_to: [], locked: "0", unlocking: [], token };
}

function entry(kind: string, points: string, detail: Entry["detail"], held_delta = "0"): Entry {
  const proof = { tx_hash: "0x", block_number: 1, block_hash: "0x", log_index: 0, contract: "0x" };
  return {
    id: "1", brand: CAFE, kind, points, held_delta, decimals: 2, at: "2026-01-01T00:00:00Z",
    state: "latest", proof, related: [], detail,
  };
}
