import { expect, test } from "vitest";
import { brandColour, contrast } from "./colour";

/** SPEC 10.9 */
test("text on any brand's colour keeps a contrast of 4.5", () => {
  for (let red = 0; red < 256; red += 15)
    for (let green = 0; green < 256; green += 15)
      for (let blue = 0; blue < 256; blue += 15) {
        const hex = "#" + [red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("");
        const { fill, ink } = brandColour(hex);
        expect(contrast(fill, ink), hex).toBeGreaterThanOrEqual(4.5);
      }
});

test("what is no colour becomes a quiet grey", () => {
  for (const text of [null, undefined, "", "red", "#12345", "url(x)", "#1234567"]) {
    expect(brandColour(text).fill).toBe("#3a3f47");
  }
});
