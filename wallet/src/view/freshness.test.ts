import { expect, test } from "vitest";
import type { MemberView } from "../api/types";
import type { StreamState } from "../stream/stream";
import { ageSeconds, freshness } from "./freshness";
import { EMPTY, type Wallet } from "./wallet";

function heard(age_s: number, heardAt: number, stream: StreamState): Wallet {
  return { ...EMPTY, view: { as_of: { age_s } } as unknown as MemberView, heardAt, stream };
}

/** SPEC 10.7 */
test.each([
  ["connecting", 4000, "connecting"],
  ["connecting", 4001, "offline"],
  ["down", 4000, "connecting"],
  ["down", 4001, "offline"],
  ["live", 4001, "live"],
] as const)("a stream that is %s since %i ms is called %s", (stream, since, called) => {
  expect(freshness(heard(0, 1000, stream), 1000 + since)).toBe(called);
});

/** SPEC 10.7 */
test.each([
  [0, 20_000, "live"],
  [0, 20_001, "quiet"],
  [19, 1_000, "live"],
  [19, 1_001, "quiet"],
  [21, 0, "quiet"],
])("a chain whose head was seen %i s before we heard it, %i ms ago, is %s", (age, since, called) => {
  expect(freshness(heard(age, 500, "live"), 500 + since)).toBe(called);
});

/** SPEC 10.7 */
test("the age is the gateway's and what has passed since, never below nothing", () => {
  expect(ageSeconds(heard(3, 1000, "live"), 3500)).toBe(5.5);
  expect(ageSeconds(heard(0, 1000, "live"), 0)).toBe(0);
  expect(ageSeconds(EMPTY, 10_000)).toBe(0);
});
