/**
 * Runs the verifier under node: one line of JSON for each line `{"path", "pin"?, "key"?}` of standard input, or for each
 * file named. Bundled by `npm run --silent verifier` into build/verify.mjs.
 */
import { readFileSync } from "node:fs";
import { verify } from "./verify";

type Asked = { path: string; pin?: string; key?: string };
const named = process.argv.slice(2);
const asked: Asked[] = named.length
  ? named.map((path) => ({ path }))
  : readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line) as Asked);
for (const { path, ...options } of asked) process.stdout.write(JSON.stringify(verify(readFileSync(path), options)) + "\n");
