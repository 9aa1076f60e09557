import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatPoints, inputPoints, readPoints, splitPoints, unitsOf } from "./points";

const read = (text: string, decimals = 2, locale = "en") => {
  const typed = readPoints(text, decimals, locale);
  return "points" in typed ? typed.points : typed.wrong;
};

/** SPEC 10.3: amounts are integers of base units, shown exactly, never rounded. */
describe("points", () => {
  test("refuses what is no amount", () => {
    for (const text of ["", " ", ".", "-1", "+1", "1e3", "abc", "1.234", "0x10", "1.2.3", "9".repeat(79), "١٢", "1/2"]) {
      expect(read(text), text).toBe("malformed");
    }
  });

  /** SPEC 10.17 */
  test.each([
    ["12,50", "en"],
    ["0,005", "en"],
    ["1,25", "ko"],
    ["1,2345", "en"],
    ["1250,5", "en"],
    ["12,34,567", "en"],
    [",5", "en"],
    ["1,", "en"],
    ["1.5,000", "en"],
    ["12.50", "de"],
    ["0.005", "de"],
  ])("%s in %s could be meant in two ways, and is asked about rather than guessed", (text, locale) => {
    expect(read(text, 2, locale)).toBe("ambiguous");
  });

  /** SPEC 10.17 */
  test("a mark of thousands that might be a decimal mark is refused where both readings are amounts", () => {
    expect(read("1,250", 2)).toBe("125000");
    expect(read("1,250", 3)).toBe("ambiguous");
    expect(read("1,250.000", 3)).toBe("1250000");
    expect(read("1,250,000", 3)).toBe("1250000000");
  });

  test("reads what a member types, by the marks of the language", () => {
    expect(read("1,250.5")).toBe("125050");
    expect(read("0.01")).toBe("1");
    expect(read("7", 0)).toBe("7");
    expect(read(".5")).toBe("50");
    expect(read("１，２５０．５", 2, "ko")).toBe("125050");
    expect(read("1.250,5", 2, "de")).toBe("125050");
    expect(read("12,50", 2, "de")).toBe("1250");
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

  test("gives back every amount it has shown, in every language, or says that it could be two", () => {
    const amounts = fc.bigInt({ min: 0n, max: 2n ** 96n });
    fc.assert(
      fc.property(amounts, fc.integer({ min: 0, max: 6 }), fc.constantFrom("en", "ko", "de", "fr"), (units, decimals, locale) => {
        const base = units.toString();
        expect(read(formatPoints(base, decimals, locale), decimals, locale)).toBe(base);
        expect(read(inputPoints(base, decimals, locale), decimals, locale)).toBe(base);
      }),
    );
  });

  test("nothing that is typed becomes more than its digits say", () => {
    const typed = fc.array(fc.constantFrom(..."0123456789.,"), { maxLength: 12 }).map((letters) => letters.join(""));
    fc.assert(
      fc.property(typed, (text) => {
        const units = read(text);
        if (units === "malformed" || units === "ambiguous") return;
        // Whatever mark was meant, the value is that of the text with its thousands taken out.
        expect(BigInt(units)).toBe(BigInt(Math.round(Number(text.replaceAll(",", "")) * 100)));
        expect(text).toMatch(/^(\d*|[1-9]\d{0,2}(,\d{3})+)(\.\d{0,2})?$/);
      }),
      { numRuns: 2000 },
    );
  });

  /** SPEC 10.20 */
  test("an amount that cannot be read is shown as none and throws nothing", () => {
    for (const wrong of ["", "1.5", "abc", null, undefined, 12, "1e9", "9".repeat(79)]) {
      expect(unitsOf(wrong)).toBeNull();
      expect(formatPoints(wrong as string, 2, "en")).toBe("–");
    }
    expect(formatPoints("100", -1, "en")).toBe("–");
    expect(formatPoints("100", 0.5, "en")).toBe("–");
  });
});
