import { expect, test } from "vitest";
import type { Balance } from "../api/types";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { dateText } from "../i18n/moment";
import { onItsWay } from "./unlocking";

const SEOUL = "Asia/Seoul";

/** SPEC 10.28 */
test("what is on its way is told as a whole and by the days of the member's calendar", () => {
  const balance = earned("1250", [
    ["1000", "2026-12-14T14:00:00.000Z"],
    ["200", "2026-12-14T14:59:59.000Z"],
    // Past midnight in Seoul, and not in London.
    ["50", "2026-12-14T15:00:00.000Z"],
  ]);

  expect(onItsWay(balance, SEOUL)).toEqual({
    points: "1250",
    days: [
      { points: "1200", until: "2026-12-14T14:00:00.000Z" },
      { points: "50", until: "2026-12-14T15:00:00.000Z" },
    ],
  });
  expect(onItsWay(balance, "Europe/London")?.days).toEqual([{ points: "1250", until: "2026-12-14T14:00:00.000Z" }]);
});

test("days that are not told are in the whole all the same", () => {
  expect(onItsWay(earned("9000", [["50", "2026-12-14T15:00:00.000Z"]]), SEOUL)).toMatchObject({ points: "9000" });
});

test("where nothing is on its way, or an older memory says nothing of it, there is no line", () => {
  const { locked: _, unlocking: __, ...older } = earned("0", []);

  expect(onItsWay(earned("0", []))).toBeNull();
  expect(onItsWay(earned("0", [["0", "2026-12-14T15:00:00.000Z"]]))).toBeNull();
  expect(onItsWay(older as Balance)).toBeNull();
});

test.each([
  [en, "en", "On its way: 12.50 CAF from 14 Dec 2026"],
  [ko, "ko", "적립 예정: 2026년 12월 14일부터 12.50 CAF"],
])("the line is told in the member's language", (messages, language, line) => {
  expect(messages.onItsWay("12.50 CAF", dateText("2026-12-14T14:00:00.000Z", language, SEOUL))).toBe(line);
});

function earned(locked: string, unlocking: [points: string, until: string][]): Balance {
  const brand = { slug: "cafe", name: "Café", symbol: "CAF", colour: "#123456", decimals: 2 };
  return {
    brand, decimals: 2, spendable: "0", held: "0", pending: "0", reserved: "0", expired: "0", debt: "0", expiring: [],
    exchange_to: [], token: "0x", locked, unlocking: unlocking.map(([points, until]) => ({ points, until })),
  };
}
