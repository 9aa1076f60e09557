import { expect, test } from "vitest";
import { formatRate } from "./rate";

test("a rate is written as a decimal, and says when it is cut", () => {
  expect(formatRate("3", "2", "en")).toBe("1.5");
  expect(formatRate("1", "1", "en")).toBe("1");
  expect(formatRate("1", "3", "en")).toBe("≈ 0.333333");
  expect(formatRate("1250000", "1000", "en")).toBe("1,250");
  expect(formatRate("1", "0", "en")).toBe("–");
});
