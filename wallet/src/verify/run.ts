/**
 * Runs the verifier under node, as `npm run --silent verifier` bundles it into build/verify.mjs:
 *
 *     node build/verify.mjs [--pin HASH] [--key KEY] [--registry ADDRESS] [--badges ADDRESS] [--governor ADDRESS] FILE…
 *     node build/verify.mjs --lines          one line of JSON of standard input for each document: {"path", "pin"?, …}
 *
 * One line of JSON for each document. Exit codes are those of `moa verify`: 0 proven or signed, 1 refused, 2 unreadable
 * or wrong use, 3 fraud, 4 finality broken, 5 consistent; of several documents the first that is not 0.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { verify, type Options } from "./verify";

type Wanted = { path: string } & Options;
const EXITS: Record<string, number> = { proven: 0, signed: 0, refused: 1, fraud: 3, finality_broken: 4, consistent: 5 };
const WRONG_USE = 2;
const names = ["pin", "key", "registry", "badges", "governor"] as const;

function wanted(): Wanted[] {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: "string" } as const])) as Record<(typeof names)[number], { type: "string" }>,
      lines: { type: "boolean" },
    },
  });
  if (values.lines) return readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line) as Wanted);
  const options: Options = Object.fromEntries(names.flatMap((name) => (values[name] ? [[name, values[name].toLowerCase()]] : [])));
  return positionals.map((path) => ({ path, ...options }));
}

try {
  const all = wanted();
  if (!all.length) throw new Error("name a document: verify.mjs [--pin HASH] [--key KEY] [--registry ADDRESS] FILE…");
  for (const { path, ...options } of all) {
    const found = verify(readFileSync(path), options);
    process.stdout.write(JSON.stringify(found) + "\n");
    process.exitCode ||= EXITS[found.verdict] ?? WRONG_USE;
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = WRONG_USE;
}
