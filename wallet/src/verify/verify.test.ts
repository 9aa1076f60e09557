import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verify, type Options } from "./verify";

const sample = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../chain/evidence/samples/${name}.json`, import.meta.url)));

describe("the second verifier", () => {
  it.each([["brand", "consistent"], ["memo", "consistent"], ["receipt", "signed"], ["fraud", "fraud"]])("%s: %s", (name, verdict) => {
    expect(verify(sample(name))).toMatchObject({ verdict, error: null });
  });

  it.each(["brand", "memo"])("%s is proven under the registry that the reader names, and under no other", (name) => {
    const { registry } = verify(sample(name));
    expect(verify(sample(name), { registry: registry! })).toMatchObject({ verdict: "proven", error: null });
    expect(verify(sample(name), { registry: "0x" + "00".repeat(20) }).error).toBe("RegistryMismatch");
  });

  it("refuses a block that is not the one pinned", () => {
    expect(verify(sample("brand"), { pin: "0x" + "ab".repeat(32) }).error).toBe("PinMismatch");
  });

  it("accepts the block that it stands on, and says that it was pinned", () => {
    const { anchor } = verify(sample("brand"));
    expect(verify(sample("brand"), { pin: anchor!.hash })).toMatchObject({ verdict: "consistent", pinned: true });
  });

  it("refuses another key", () => {
    expect(verify(sample("receipt"), { key: "0x" + "00".repeat(32) }).error).toBe("KeyMismatch");
  });

  it("catches a flipped bit in every byte of a receipt", () => {
    const data = sample("receipt");
    for (let at = 0; at < data.length; at++) {
      const flipped = data.slice();
      flipped[at]! ^= 1 << (at % 8);
      expect(verify(flipped).verdict, `byte ${at}`).toBe("refused");
    }
  });
});

/** SPEC 13.7, 13.13: what FORMAT.md decides, said by both verifiers of the same documents. */
describe("the corpus", () => {
  type Case = { name: string; document: string; options: Options; verdict: string; error: string | null; claim: number | null };
  const corpus = JSON.parse(new TextDecoder().decode(sample("corpus"))) as Case[];

  it.each(corpus)("$name", ({ document, options, verdict, error, claim }) => {
    const found = verify(new TextEncoder().encode(document), options);
    expect({ verdict: found.verdict, error: found.error, claim: found.claim ?? null }).toEqual({ verdict, error, claim });
  });
});
