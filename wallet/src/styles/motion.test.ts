import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const folder = new URL(".", import.meta.url);
const sheets = readdirSync(folder)
  .filter((name) => name.endsWith(".css"))
  .map((name) => readFileSync(new URL(name, folder), "utf8"));

/** SPEC 10.13 */
test("whoever asks for less motion sees none: one rule ends every animation and transition", () => {
  const quiet = sheets.flatMap((sheet) => sheet.match(/@media \(prefers-reduced-motion: reduce\) \{[\s\S]*?\n\}/g) ?? []);

  expect(quiet).toHaveLength(1);
  expect(quiet[0]).toMatch(/\*,\s*\*::before,\s*\*::after \{/);
  expect(quiet[0]).toMatch(/animation: none !important/);
  expect(quiet[0]).toMatch(/transition: none !important/);
  // Nothing else is as strong, so nothing can undo it.
  const others = sheets.map((sheet) => sheet.replace(quiet[0] ?? "", "")).join("\n");
  expect(others).not.toMatch(/(animation|transition)[^;]*!important/);
});

/** SPEC 10.13 */
test("a new entry slides in", () => {
  const history = sheets.join("\n");

  expect(history).toMatch(/\[data-new="?true"?\][^{]*\{[^}]*animation: slide-in/);
  expect(history).toMatch(/@keyframes slide-in/);
});
