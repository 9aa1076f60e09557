import { expect, test } from "vitest";
import type { MemberView } from "../api/types";
import type { StreamState } from "../live/stream";
import { ageSeconds, freshness } from "./freshness";
import { EMPTY, type Wallet } from "./wallet";

function heard(age_s: number, heardAt: number, stream: StreamState, pulseAt = heardAt): Wallet {
  return { ...EMPTY, view: { as_of: { age_s } } as unknown as MemberView, heardAt, pulseAt, stream };
}

/** SPEC 10.7 */
test.each([
  ["connecting", 4000, true, "connecting"],
  ["connecting", 4001, true, "silent"],
  ["connecting", 4001, false, "offline"],
  ["down", 4000, false, "connecting"],
  ["down", 4001, false, "offline"],
  ["live", 4001, true, "live"],
  // The line is open, and nothing comes: the gateway is frozen. Never the chain's fault.
  ["live", 8000, true, "live"],
  ["live", 8001, true, "silent"],
  ["live", 60_000, true, "silent"],
] as const)("a stream that is %s, still for %i ms, on a device that says online: %s, is called %s", (stream, since, online, called) => {
  expect(freshness(heard(0, 1000, stream), 1000 + since, online)).toBe(called);
});

/** SPEC 10.7 */
test.each([
  [0, 20_000, "live"],
  [0, 20_001, "quiet"],
  [19, 1_000, "live"],
  [19, 1_001, "quiet"],
  [21, 0, "quiet"],
])("a chain whose head was seen %i s before we heard it, %i ms ago, is %s", (age, since, called) => {
  expect(freshness(heard(age, 500, "live", 500 + since), 500 + since)).toBe(called);
});

/** SPEC 10.7 */
test("the age is the gateway's and what has passed since, never below nothing", () => {
  expect(ageSeconds(heard(3, 1000, "live"), 3500)).toBe(5.5);
  expect(ageSeconds(heard(0, 1000, "live"), 0)).toBe(0);
  expect(ageSeconds(EMPTY, 10_000)).toBe(0);
});
