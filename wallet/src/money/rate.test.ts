import { expect, test } from "vitest";
import { formulaText } from "../view/formula";
import { formatFactor, formatRate } from "./rate";

test("a rate is written as a decimal, and says when it is cut", () => {
  expect(formatRate("3", "2", "en")).toBe("1.5");
  expect(formatRate("1", "1", "en")).toBe("1");
  expect(formatRate("1", "3", "en")).toBe("≈ 0.333333");
  expect(formatRate("1250000", "1000", "en")).toBe("1,250");
  expect(formatRate("1", "0", "en")).toBe("–");
});

test("a factor is exact, however it must be written", () => {
  expect(formatFactor(300n, 200n, "en")).toBe("× 1.5");
  expect(formatFactor(5n, 600n, "en")).toBe("÷ 120");
  expect(formatFactor(10n, 12n, "en")).toBe("× 5 ÷ 6");
  expect(formatFactor(4n, 2n, "en")).toBe("× 2");
  expect(formatFactor(0n, 2n, "en")).toBe("× 0");
  expect(formatFactor(1n, 0n, "en")).toBe("× –");
});

test("a formula is told in whole units of money and of points", () => {
  const rule = {
    id: "1", version: 1, name: "purchase", numerator: "5", denominator: "6", return_window_s: 0, shortfall: "forgive" as const,
  };

  const won = formulaText({ ...rule, base_amount: "4200", base_decimals: 0, currency: "KRW" }, 2, "en");
  const cents = formulaText({ ...rule, numerator: "3", denominator: "2", base_amount: "2933", base_decimals: 2, currency: "USD" }, 2, "en");

  expect(won).toBe("4,200 KRW ÷ 120");
  expect(cents).toBe("29.33 USD × 1.5");
  expect(formulaText(null, 2, "en")).toBeNull();
});
