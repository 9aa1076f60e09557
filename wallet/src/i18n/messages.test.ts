import { describe, expect, test } from "vitest";
import document from "../../../api/openapi.json";
import { en } from "./en";
import { ko } from "./ko";
import { firstLanguage } from "./locale";
import { ageText, leftText } from "./moment";

/** SPEC 10.4: the screen speaks English and Korean, wholly. */
describe("language", () => {
  test("every message, kind, state and error exists in both languages", () => {
    expect(keys(ko)).toEqual(keys(en));
  });

  test("every refusal that a member can meet is told in words", () => {
    const met = Object.entries(document.paths)
      .filter(([path]) => path.startsWith("/v1/me/") || path.startsWith("/v1/exchanges") || path === "/v1/holds")
      .flatMap(([, methods]) => errorNames(methods));

    expect(met).toContain("ERC20InsufficientBalance");
    expect([...new Set(met)].filter((name) => !(name in en.errors) && !OURS.has(name))).toEqual([]);
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

/** Refusals of a request that only a faulty wallet would send, or that it answers without words: they get the common sentence. */
const OURS = new Set([
  "BodyTooLarge",
  "CharacterRefused",
  "ContentTypeUnsupported",
  "CursorExpired",
  "CursorMalformed",
  "EncodingUnsupported",
  "FieldRepeated",
  "HeadersTooLarge",
  "HoldCodeWrong",
  "IdempotencyKeyMalformed",
  "IdempotencyKeyMissing",
  "InternalFault",
  "KeyInvalid",
  "KeyMissing",
  "MemberUnclear",
  "MemberUnknown",
  "RequestLineTooLong",
  "RequestMalformed",
  "RequestTimedOut",
  "SessionUnknown",
  "StreamsTooMany",
]);

/** The `error` of each example in a part of the OpenAPI document. */
function errorNames(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  const here = "error" in part && typeof part.error === "string" ? [part.error] : [];
  return [...here, ...Object.values(part).flatMap(errorNames)];
}

function keys(messages: object): string[] {
  return Object.entries(messages)
    .flatMap(([key, value]) => (typeof value === "object" ? keys(value as object).map((inner) => `${key}.${inner}`) : key))
    .sort();
}
