import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page has a strict Content-Security-Policy: nothing inline, nothing from another host. So small files are not inlined as data: URLs.
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: process.env["FANFARE_WEB_OUT"] ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
});
