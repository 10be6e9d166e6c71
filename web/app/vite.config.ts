import path from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { afterBuild } from "./vite/after.ts";

const kParts = ["react", "react-dom", "scheduler", "uplot", "@fontsource-variable/geist", "@fontsource-variable/geist-mono"];

// The page has a strict Content-Security-Policy: nothing inline, nothing from another host. So small files are not inlined as data: URLs.
export default defineConfig({
  plugins: [react(), afterBuild(kParts, path.resolve(import.meta.dirname, "../node_modules"))],
  resolve: {
    alias: {
      "@fanfare/client/canvas": path.resolve(import.meta.dirname, "../packages/client/src/canvas.ts"),
      "@fanfare/client": path.resolve(import.meta.dirname, "../packages/client/src/index.ts"),
      "@fanfare/react": path.resolve(import.meta.dirname, "../packages/react/src/index.ts"),
    },
  },
  build: {
    outDir: process.env["FANFARE_WEB_OUT"] ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
});
