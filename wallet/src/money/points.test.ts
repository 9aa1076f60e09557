import { describe, expect, test } from "vitest";
import { formatPoints, inputPoints, parsePoints, splitPoints } from "./points";

/** SPEC 10.3: amounts are integers of base units, shown exactly, never rounded. */
describe("points", () => {
  test("refuses what is no amount", () => {
    for (const text of ["", " ", ".", "-1", "+1", "1e3", "abc", "1.234", "0x10", "1.2.3", "9".repeat(79)]) {
      expect(parsePoints(text, 2), text).toBeNull();
    }
  });

  test("reads what a member types", () => {
    expect(parsePoints("1,250.5", 2)).toBe("125050");
    expect(parsePoints("0.01", 2)).toBe("1");
    expect(parsePoints("7", 0)).toBe("7");
    expect(parsePoints(".5", 2)).toBe("50");
  });

  test("shows an amount beyond a float exactly", () => {
    expect(formatPoints("900719925474099312345", 2, "en")).toBe("9,007,199,254,740,993,123.45");
  });

  test("keeps the sign and the fraction of small amounts", () => {
    expect(formatPoints("-5", 2, "en")).toBe("−0.05");
    expect(formatPoints("4400", 2, "ko", true)).toBe("+44.00");
    expect(formatPoints("0", 2, "en", true)).toBe("0.00");
    expect(splitPoints("125050", 2, "en")).toEqual({ sign: "", whole: "1,250", fraction: ".50" });
    expect(formatPoints("12", 0, "en")).toBe("12");
  });

  test("gives back every amount it has shown", () => {
    for (let units = 0n; units < 10n ** 21n; units = units * 7n + 13n) {
      const base = units.toString();
      expect(parsePoints(formatPoints(base, 2, "en"), 2)).toBe(base);
      expect(parsePoints(inputPoints(base, 2), 2)).toBe(base);
    }
  });
});
