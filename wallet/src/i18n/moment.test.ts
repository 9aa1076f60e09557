import { expect, test } from "vitest";
import { en } from "./en";
import { isSameDay, leftText, momentText, periodText, timeText } from "./moment";

/** SPEC 10.18: an hour that is missing or comes twice moves no entry to another day. */
test.each([
  // Berlin, 29 March 2026: 02:00 becomes 03:00. The 29th has 23 hours.
  ["Europe/Berlin", "2026-03-29T22:30:00Z", "2026-03-28T22:30:00Z", "March 2026"],
  ["Europe/Berlin", "2026-03-29T22:30:00Z", "2026-03-29T00:30:00Z", "Yesterday"],
  ["Europe/Berlin", "2026-03-30T21:30:00Z", "2026-03-28T22:59:00Z", "March 2026"],
  // 25 October 2026: 03:00 becomes 02:00. The 25th has 25 hours.
  ["Europe/Berlin", "2026-10-25T22:30:00Z", "2026-10-24T22:30:00Z", "Today"],
  ["Europe/Berlin", "2026-10-25T22:30:00Z", "2026-10-24T21:30:00Z", "Yesterday"],
  ["Europe/Berlin", "2026-10-25T23:30:00Z", "2026-10-24T22:10:00Z", "Yesterday"],
  // New York, both changes, late in the evening: Sunday is not Saturday.
  ["America/New_York", "2026-11-02T04:30:00Z", "2026-10-31T03:45:00Z", "October 2026"],
  ["America/New_York", "2026-11-02T04:30:00Z", "2026-10-31T04:45:00Z", "Yesterday"],
  ["America/New_York", "2026-11-02T04:30:00Z", "2026-11-01T04:45:00Z", "Today"],
  ["America/New_York", "2026-03-09T03:30:00Z", "2026-03-07T04:45:00Z", "March 2026"],
  // Where no clock changes.
  ["Asia/Seoul", "2026-03-28T15:30:00Z", "2026-03-28T14:59:00Z", "Yesterday"],
  ["Asia/Seoul", "2026-03-28T15:30:00Z", "2026-03-28T15:00:00Z", "Today"],
])("in %s at %s, %s stands under %s", (zone, now, at, heading) => {
  expect(periodText(at, "en", en, new Date(now), zone)).toBe(heading);
});

/** SPEC 10.18 */
test("midnight is told as 00, an hour that comes twice is told twice, and days are those of the zone", () => {
  expect(timeText("2026-11-30T15:00:00Z", "ko", "Asia/Seoul")).toBe("00:00");
  expect(timeText("2026-10-25T00:30:00Z", "en", "Europe/Berlin")).toBe("02:30");
  expect(timeText("2026-10-25T01:30:00Z", "en", "Europe/Berlin")).toBe("02:30");
  expect(isSameDay("2026-11-30T14:59:00Z", "2026-11-30T15:00:00Z", "Asia/Seoul")).toBe(false);
  expect(isSameDay("2026-11-30T14:59:00Z", "2026-11-30T15:00:00Z", "Europe/Berlin")).toBe(true);
});

/** SPEC 10.20 */
test("what is no moment is told as none and throws nothing", () => {
  for (const wrong of ["", "soon", "2026-13-45"]) {
    expect(momentText(wrong, "en")).toBe("–");
    expect(periodText(wrong, "en", en)).toBe("–");
  }
});

test("a countdown of hours has hours", () => {
  expect([7205, 3600, 3599.2, 59].map(leftText)).toEqual(["2:00:05", "1:00:00", "1:00:00", "0:59"]);
});
