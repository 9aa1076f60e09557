import { defineConfig } from "vite";

/** The wallet's build: one page, bundled whole, so that a strict content policy can hold. */
export default defineConfig({
  // Beside the packages at the root, so that tests leave nothing in this folder.
  cacheDir: "../node_modules/.vite",
  esbuild: { jsx: "automatic" },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // No asset is inlined as a data address: the content policy names no such source for scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
