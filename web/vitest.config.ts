import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string): string => fileURLToPath(new URL(`packages/client/src/${name}.ts`, import.meta.url));
// The longer name first: an alias also fits what begins with it.
const alias = { "@fanfare/client/canvas": source("canvas"), "@fanfare/client": source("index") };
const project = (name: string, include: string[], more: object = {}) => ({
  resolve: { alias },
  test: { name, include, testTimeout: 20_000, hookTimeout: 30_000, ...more },
});

export default defineConfig({
  test: {
    // Two cores, and the browsers want one of them.
    maxWorkers: 2,
    projects: [
      project("client", ["packages/client/test/*.test.ts"], { environment: "node" }),
      project("react", ["packages/react/test/*.test.tsx"], { environment: "happy-dom" }),
      project("app", ["app/test/*.test.ts"], { environment: "node" }),
      project("browser", ["packages/*/test/browser/*.test.ts", "app/test/browser/*.test.ts"], { environment: "node", testTimeout: 60_000 }),
      project("daemon", ["packages/client/test/daemon/*.test.ts", "app/test/daemon/*.test.ts"], { environment: "node", testTimeout: 60_000 }),
      project("package", ["packages/*/test/package/*.test.ts"], { environment: "node", testTimeout: 60_000 }),
    ],
  },
});
