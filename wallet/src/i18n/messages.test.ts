import { describe, expect, test } from "vitest";
import { en } from "./en";
import { ko } from "./ko";
import { firstLanguage } from "./locale";
import { ageText, leftText } from "./moment";

/** SPEC 10.4: the screen speaks English and Korean, wholly. */
describe("language", () => {
  test("every message, kind, state and error exists in both languages", () => {
    expect(keys(ko)).toEqual(keys(en));
  });

  test("a remembered language wins, then the browser's first that we speak, then English", () => {
    expect(firstLanguage(null, ["fr-FR"])).toBe("en");
    expect(firstLanguage(null, ["fr-FR", "ko-KR", "en"])).toBe("ko");
    expect(firstLanguage("en", ["ko-KR"])).toBe("en");
    expect(firstLanguage("xx", [])).toBe("en");
  });

  test("an age is told in the unit that fits", () => {
    expect([-3, 0, 2.9, 60, 7200, 200_000].map((age) => ageText(age, en))).toEqual([
      "just now",
      "just now",
      "2 s ago",
      "1 min ago",
      "2 h ago",
      "2 days ago",
    ]);
    expect([125, 59.2, 0, -4].map(leftText)).toEqual(["2:05", "1:00", "0:00", "0:00"]);
  });
});

function keys(messages: object): string[] {
  return Object.entries(messages)
    .flatMap(([key, value]) => (typeof value === "object" ? keys(value as object).map((inner) => `${key}.${inner}`) : key))
    .sort();
}
