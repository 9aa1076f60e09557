import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const DIST = new URL("dist", import.meta.url).pathname;

/** Whatever is text, beside itself in br and gz: a gateway sends files, it compresses none. */
const TEXTS = /\.(js|css|html|svg|webmanifest)$/;
const SMALL_BYTES = 512;

/** The service worker with the names of what this build is made of, so that the page opens without a network. */
function offline(): Plugin {
  return {
    name: "moa-offline",
    apply: "build",
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((name) => name.startsWith("assets/")).sort();
      const worker = readFileSync(new URL("src/offline/worker.js", import.meta.url), "utf8");
      this.emitFile({
        type: "asset",
        fileName: "sw.js",
        source: worker.replace("__FILES__", JSON.stringify(files.map((name) => `/${name}`))),
      });
    },
  };
}

function compressed(): Plugin {
  return {
    name: "moa-compressed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
        if (!TEXTS.test(name)) continue;
        const text = readFileSync(join(DIST, name));
        if (text.length < SMALL_BYTES) continue;
        writeFileSync(join(DIST, `${name}.gz`), gzipSync(text, { level: 9 }));
        const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(join(DIST, `${name}.br`), brotliCompressSync(text, { params: quality }));
      }
    },
  };
}

/** The wallet's build: one page, bundled whole, so that a strict content policy can hold. */
export default defineConfig({
  // Beside the packages at the root, so that tests leave nothing in this folder.
  cacheDir: "../node_modules/.vite",
  esbuild: { jsx: "automatic" },
  plugins: [offline(), compressed()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // No asset is inlined as a data address: the content policy names no such source for scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
