import { expect, test } from "vitest";
import { backoffMs } from "./backoff";

/** SPEC 10.6 */
test("waits grow from half a second and stop at fifteen", () => {
  expect(backoffMs(0, 0)).toBe(250);
  expect(backoffMs(0, 1)).toBe(500);
  expect(backoffMs(3, 1)).toBe(4000);
  for (const attempt of [5, 50, 5000]) expect(backoffMs(attempt, 1)).toBe(15_000);
});
