// What npm would publish: it installs into an empty project, has types, and a bundler keeps only what is used.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const WEB = fileURLToPath(new URL("../../../../", import.meta.url));
let place: string;
let packed: { name: string; filename: string; files: { path: string }[] }[];

function run(command: string, args: string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`);
  }
}
const put = (name: string, text: string): void => {
  mkdirSync(join(place, name, ".."), { recursive: true });
  writeFileSync(join(place, name), text);
};

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "fanfare-package-"));
  const names = ["packages/client", "packages/react"].flatMap((name) => ["--workspace", name]);
  // The build of prepack prints nothing that would spoil the JSON.
  run("npm", ["run", "build", "--silent"], WEB);
  packed = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", place, ...names], WEB));
  put("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
  const modules = ["react", "@types/react", "csstype"].map((name) => join(WEB, "node_modules", name));
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", ...packed.map(({ filename }) => join(place, filename)), ...modules], place);
}, 60_000);
afterAll(() => rmSync(place, { recursive: true, force: true }));

async function bundle(source: string): Promise<{ text: string; bytes: number }> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: place }, bundle: true, write: false, minify: true, logLevel: "error", format: "esm", target: "es2022", external: ["react"],
  });
  const text = outputFiles[0]?.text ?? "";
  return { text, bytes: gzipSync(text, { level: 9 }).length };
}

test("the packages hold code, types and a README, and nothing else", () => {
  expect(packed.map(({ name }) => name)).toEqual(["@fanfare/client", "@fanfare/react"]);
  for (const { files } of packed) {
    const others = files.map(({ path }) => path).filter((path) => !/^(dist\/\w+\.(js|d\.ts)|bin\/openrpc\.mjs)$/.test(path));
    expect(others.sort()).toEqual(["README.md", "package.json"]);
    expect(files.length).toBeGreaterThan(4);
  }
});

test("fanfare-openrpc writes a client from a file and from a node, and says what is wrong", async () => {
  const program = join(place, "node_modules/.bin/fanfare-openrpc");
  const document = { openrpc: "1.3.2", info: { title: "toy", version: "1" }, methods: [{ name: "height", result: { schema: { type: "integer" } } }] };
  put("document.json", JSON.stringify(document));
  run(program, ["document.json", "--out", "toy.ts", "--name", "Toy"], place);
  expect(readFileSync(join(place, "toy.ts"), "utf8")).toContain("export class Toy extends RpcClient");
  const { text } = await bundle('import { Toy } from "./toy.ts"; new Toy({ url: "ws://localhost" }).height();');
  expect(text).toContain('"height"');
  let asked: { authorization: string | undefined; body: string } | undefined;
  const node = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => { body += part; }).on("end", () => {
      asked = { authorization: request.headers.authorization, body };
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: document }));
    });
  });
  await new Promise<void>((resolve) => { node.listen(0, "127.0.0.1", resolve); });
  const { port } = node.address() as { port: number };
  const { stdout } = await promisify(execFile)(program, [`http://user:p%40ss@127.0.0.1:${port}/`], { cwd: place });
  node.close();
  expect(stdout).toContain("export class ToyClient");
  expect(asked?.authorization).toBe(`Basic ${btoa("user:p@ss")}`);
  expect(JSON.parse(asked!.body).method).toBe("rpc.discover");
  put("other.json", "{}");
  expect(() => run(program, ["other.json"], place)).toThrow("not an OpenRPC document");
  expect(() => run(program, [], place)).toThrow("usage: fanfare-openrpc");
});

test("the client has no dependencies", () => {
  const manifest = JSON.parse(readFileSync(join(place, "node_modules/@fanfare/client/package.json"), "utf8"));
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.peerDependencies).toBeUndefined();
});

test("Node imports both, without a WebSocket, a window or a worker", () => {
  put("run.js", `
    import * as client from "@fanfare/client";
    import * as react from "@fanfare/react";
    import * as canvas from "@fanfare/client/canvas";
    new client.StreamClient({ url: "ws://127.0.0.1:1" });
    new canvas.CanvasClient({ url: "ws://127.0.0.1:1" });
    console.log(JSON.stringify([Object.keys(client).sort(), Object.keys(react).sort(), Object.keys(canvas).sort()]));`);
  const [client, react, canvas] = JSON.parse(run("node", ["run.js"], place));
  expect(client).toEqual(["Connection", "ConnectionError", "EthClient", "EthSubscription", "RpcClient", "RpcError", "SharedStreamClient", "StreamClient", "StreamError", "acquireClient", "checksum", "mergePatch"]);
  expect(canvas).toEqual([
    "CANVAS_PROTOCOL", "CANVAS_STATUS", "CHUNK", "CURSOR_EVERY_MS", "CanvasClient", "CanvasError", "CanvasFormatError", "CanvasStore", "ChunkHash", "ConnectionError", "PIXELS_MAX",
    "WATCHED_AT_FIRST_MAX", "decodeCanvasMessage", "encodeCursor", "encodeFetch", "encodePixels", "encodeUndo", "encodeWatch", "inflate", "inflateHere",
  ]);
  expect(react).toEqual(["FanfareProvider", "useDataStream", "useStream", "useWebSocket"]);
});

test("the types hold in a strict project, and refuse what is wrong", () => {
  put("right.tsx", `
    import { StreamClient, type NodeStreams } from "@fanfare/client";
    import { useDataStream, useStream, useWebSocket } from "@fanfare/react";
    interface Mine { prices: { eur: number } }
    const client = new StreamClient<Mine>({ url: "ws://localhost:8545/streams" });
    const stop: () => void = client.subscribe("prices", ({ data }) => { const eur: number = data.eur; void eur; });
    export function View() {
      const { data, connected, error } = useDataStream("network_metrics", "ws://localhost/streams");
      const peers = useStream("peers", "ws://localhost/streams", { history: 3 }).messages.map(({ data }) => data.total);
      const { state, subscribe, unsubscribe } = useWebSocket({ url: "ws://localhost/streams", reconnect: true, reconnectInterval: 3000 });
      const height: number | undefined = data?.block_height;
      const problem: Error | null = error;
      return <p onClick={() => { subscribe("x"); unsubscribe("x"); stop(); }}>{height}{String(connected)}{problem?.message}{peers}{state}</p>;
    }
    export type Kept = NodeStreams["receipts"]["receipts"][number]["amount"];`);
  put("wrong.tsx", `
    import { StreamClient } from "@fanfare/client";
    import { useDataStream } from "@fanfare/react";
    const client = new StreamClient<{ prices: { eur: number } }>({ url: "ws://localhost" });
    // @ts-expect-error: there is no such stream
    client.subscribe("price", () => {});
    // @ts-expect-error: there is no such member
    client.subscribe("prices", ({ data }) => data.usd);
    // @ts-expect-error: there is no such member
    export const View = () => <p>{useDataStream("peers", "ws://localhost").data?.count}</p>;`);
  put("tsconfig.json", JSON.stringify({
    compilerOptions: { strict: true, noEmit: true, module: "nodenext", target: "es2022", lib: ["es2022", "dom"], jsx: "react-jsx", types: [], preserveSymlinks: true },
    include: ["*.tsx"],
  }));
  run(join(WEB, "node_modules/.bin/tsc"), ["-p", place], place);
});

test("a bundle holds only what is used", async () => {
  const merge = await bundle('import { mergePatch } from "@fanfare/client"; console.log(mergePatch({}, {}));');
  const streams = await bundle('import { StreamClient } from "@fanfare/client"; new StreamClient({ url: "ws://x" }).subscribe("a", console.log);');
  const shared = await bundle('import { SharedStreamClient } from "@fanfare/client"; new SharedStreamClient({ url: "ws://x" }).subscribe("a", console.log);');
  const eth = await bundle('import { EthClient } from "@fanfare/client"; new EthClient({ url: "ws://x" }).request("a");');
  const hooks = await bundle('import { useDataStream } from "@fanfare/react"; console.log(useDataStream);');
  const canvas = await bundle('import { CanvasClient } from "@fanfare/client/canvas"; new CanvasClient({ url: "ws://x" }).connect();');
  const codec = await bundle('import { encodeCursor } from "@fanfare/client/canvas"; console.log(encodeCursor({ x: 1, y: 2 }));');
  const nothing = await bundle('import "@fanfare/client"; import "@fanfare/client/canvas"; import "@fanfare/react";');
  console.log(`bytes, minified and gzipped: mergePatch ${merge.bytes}, StreamClient ${streams.bytes}, SharedStreamClient ${shared.bytes}, EthClient ${eth.bytes}, hooks ${hooks.bytes}, CanvasClient ${canvas.bytes}`);
  expect(nothing.text).toBe("");
  expect(merge.bytes).toBeLessThan(500);
  expect(streams.text).not.toMatch(/eth_subscribe|SharedWorker|BroadcastChannel/);
  expect(eth.text).not.toMatch(/available_streams|SharedWorker/);
  expect(streams.text).not.toMatch(/fanfare\.canvas/);
  expect(canvas.text).not.toMatch(/available_streams|SharedWorker|eth_subscribe/);
  expect(canvas.bytes).toBeLessThan(12_000);
  expect(codec.bytes).toBeLessThan(600);
  expect(streams.bytes).toBeLessThan(10_000);
  expect(eth.bytes).toBeLessThan(6_000);
  expect(shared.bytes).toBeLessThan(12_500);
  expect(hooks.bytes).toBeLessThan(14_000);
});

test("Vite finds the worker and builds it", () => {
  put("index.html", '<script type="module" src="/main.js"></script>');
  put("main.js", 'import { SharedStreamClient } from "@fanfare/client"; new SharedStreamClient({ url: "ws://x" }).subscribe("a", console.log);');
  run("node", [join(WEB, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn"], place);
  const assets = readdirSync(join(place, "dist/assets"));
  const worker = assets.find((name) => name.startsWith("shared_worker"));
  expect(worker).toBeDefined();
  // One file with everything in it: a worker cannot import what the bundler renamed.
  expect(readFileSync(join(place, "dist/assets", worker as string), "utf8")).not.toMatch(/\bfrom\s*["']\.\//);
});
