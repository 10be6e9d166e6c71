// Builds the pages of the browser tests, and serves them from memory.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "./stream_server.js";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export async function buildPages(): Promise<(path: string) => Page | null> {
  const { outputFiles } = await build({
    entryPoints: { page: path("page.tsx"), shared_worker: path("../packages/client/src/shared_worker.ts") },
    outdir: "/", bundle: true, write: false, format: "esm", platform: "browser", target: "es2022", jsx: "automatic",
    // The development build of React: only that mounts everything twice under StrictMode.
    define: { "process.env.NODE_ENV": '"development"' },
    alias: { "@fanfare/client": path("../packages/client/src/index.ts") },
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [path, Buffer.from(contents)]));
  const html = '<!doctype html><title>test</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/page.js"></script>';
  return (name) => {
    if (name === "/") return { type: "text/html", body: html };
    const body = files.get(name);
    return body ? { type: "text/javascript", body } : null;
  };
}
