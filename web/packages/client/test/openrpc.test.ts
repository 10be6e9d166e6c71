// The generated file is checked by the compiler with --strict, and used.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { DEPTH_MAX, generateClient, type OpenRpcDocument, type Schema } from "../src/openrpc.js";

const WEB = fileURLToPath(new URL("../../../", import.meta.url));
// Inside the workspace, so that the compiler finds the package's source by `paths`.
const place = mkdtempSync(join(WEB, "packages/client/test/generated-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Returns the compiler's errors. */
function compile(files: { [name: string]: string }): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  const options = { extends: "../../../../tsconfig.base.json", compilerOptions: { noEmit: true, strict: true, types: [], paths: { "@fanfare/client": ["../../src/index.ts"] } }, files: Object.keys(files) };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify(options));
  try {
    execFileSync(process.execPath, [join(WEB, "node_modules/typescript/bin/tsc"), "-p", place], { encoding: "utf8", stdio: "pipe" });
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
const position: Schema = { type: "object", required: ["epoch", "offset"], properties: { epoch: { type: "integer" }, offset: { type: "integer" } } };

const NODE: OpenRpcDocument = {
  openrpc: "1.3.2",
  info: { title: "my node", version: "1.0" },
  methods: [
    { name: "getblockhash", description: "The hash of the block at a height.", paramStructure: "either", "x-permission": "chain",
      params: [{ name: "height", description: "The height.", required: true, schema: { type: "integer", minimum: 0 } as Schema }], result: { schema: { type: "string" } } },
    { name: "getblock", params: [{ name: "hash", required: true, schema: { type: "string" } }, { name: "verbose", required: false, schema: { type: "boolean" } }],
      result: { schema: { anyOf: [{ type: "string" }, { $ref: "#/components/schemas/Block" }] } } },
    { name: "rpc.discover", params: [], result: { schema: true } },
    { name: "subscribe", params: [{ name: "event", required: true, schema: { type: "string" } }, { name: "since", schema: position }], result: { schema: true } },
    { name: "unsubscribe", params: [{ name: "event", required: true, schema: { type: "string" } }], result: { schema: { type: "boolean" } } },
  ],
  "x-notifications": [
    { name: "newblock", description: "A block was added.", schema: { type: "object", required: ["height"], properties: { height: { type: "integer" }, "the hash": { type: "string" } } } },
    { name: "shout", broadcast: true, schema: { type: "array", items: { type: ["string", "null"] } } },
  ],
  components: { schemas: { Block: { type: "object", required: ["height", "parent"], properties: { height: { type: "integer" }, parent: { anyOf: [{ $ref: "#/components/schemas/Block" }, { type: "null" }] } } } } },
};

test("a node's document becomes a class with its methods and events", () => {
  const text = generateClient(NODE);
  expect(text).toContain("export class MyNodeClient extends RpcClient<MyNodeClientEvents>");
  expect(text).toContain("getblockhash(height: number): Promise<string>");
  expect(text).toContain("Needs the permission chain.");
  expect(text).toContain("super(options, [\"shout\"]);");
  const use = `import { MyNodeClient } from "./node_client.js";
    const client = new MyNodeClient({ url: "ws://localhost:8332/" });
    const hash: string = await client.getblockhash(7);
    const block = await client.getblock(hash, true);
    const parent: number | undefined = typeof block === "string" ? undefined : block.parent?.height;
    void parent;
    await client["rpc.discover"]();
    client.subscribe("newblock", ({ height, ...more }) => { const n: number = height; const h: string | undefined = more["the hash"]; void n; void h; });
    client.subscribe("shout", { event: (value) => { const words: (string | null)[] = value; void words; }, missed: ({ count }) => { void count; } });
    // @ts-expect-error a number is needed
    client.getblockhash("7").catch(() => {});
    // @ts-expect-error it has a parameter
    client.getblockhash().catch(() => {});
    // @ts-expect-error there is no such event
    client.subscribe("oldblock", () => {});
    // @ts-expect-error the result is a text
    const wrong: number = await client.getblockhash(7); void wrong;
    export {};`;
  expect(compile({ "node_client.ts": text, "use.ts": use })).toBe("");
}, 120_000);

test("names and texts of a server become no code", () => {
  const evil = "*/ } process.exit(1); /* \u2028 throw 1 // ${x} ` \" '\n";
  const names = ["constructor", "__proto__", "call", "subscribe_x", "close", "then", "toString", "class", "a b", "a\"]; evil(); [\"", evil, "", "1st", "call_"];
  const schema: Schema = { type: "object", required: [evil], properties: { [evil]: { enum: [evil, 1, null, true] }, ["__proto__x"]: { const: evil }, "*/": { type: "string" } } };
  const document: OpenRpcDocument = {
    openrpc: "1.3.2", info: { title: evil, version: evil },
    methods: names.map((name) => ({ name, description: evil, "x-permission": evil, result: { schema },
      params: [{ name: "class", required: false, schema }, ...names.map((param) => ({ name: param, description: evil, required: true, schema: { type: "string" } as Schema }))] })),
    "x-notifications": [{ name: evil, description: evil, schema }, { name: "__proto__", schema: false }, { name: evil, schema }],
    components: { schemas: { [evil]: schema, Json: { type: "string" }, RpcClient: true, string: { $ref: `#/components/schemas/${evil}` }, "": { $ref: "elsewhere" } } },
  };
  const text = generateClient(document, { name: "Evil" });
  expect(compile({ "evil.ts": text })).toBe("");
  // Without comments and texts nothing of it is left.
  const code = text.replace(/\/\*\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\]|\\.)*"/g, "");
  expect(code).not.toMatch(/\bevil\b|\bexit\b|\bthrow\b/);
}, 120_000);

test("schemas become types", () => {
  const type = (schema: Schema): string => /get\(\): Promise<(.*)> \{/.exec(generateClient({ openrpc: "1", methods: [{ name: "get", result: { schema } }] }))![1]!;
  const deep = (levels: number): Schema => (levels === 0 ? { type: "string" } : { type: "array", items: deep(levels - 1) });
  expect(type(true)).toBe("Json");
  expect(type({})).toBe("Json");
  expect(type(false)).toBe("never");
  expect(type({ type: "integer" })).toBe("number");
  expect(type({ type: ["string", "null"] })).toBe("string | null");
  expect(type({ type: "array", items: { anyOf: [{ type: "string" }, { type: "number" }] } })).toBe("(string | number)[]");
  expect(type({ type: "array", prefixItems: [{ type: "string" }, { type: "boolean" }] })).toBe("[string, boolean]");
  expect(type({ type: "object" })).toBe("{ [name: string]: Json }");
  expect(type({ type: "object", additionalProperties: { type: "number" } })).toBe("{ [name: string]: number }");
  expect(type({ enum: ["a", "b", 3] })).toBe('"a" | "b" | 3');
  expect(type({ oneOf: [{ type: "string" }, { type: "string" }] })).toBe("string");
  expect(type({ allOf: [{ type: "object", properties: { a: { type: "string" } } }, { type: "object", properties: { b: { type: "string" } } }] })).toBe("({ a?: string }) & ({ b?: string })");
  expect(type({ $ref: "#/components/schemas/none" })).toBe("Json");
  expect(type(deep(DEPTH_MAX))).toContain("string");
  expect(type(deep(DEPTH_MAX + 1))).not.toContain("string");
});

test("parameters by position, and optional ones before required ones", () => {
  const text = generateClient({ openrpc: "1", methods: [{ name: "put", paramStructure: "by-position",
    params: [{ name: "a", schema: { type: "string" } }, { name: "b", required: true, schema: { type: "number" } }, { name: "c", schema: true }] }] });
  expect(text).toContain("put(a: string | undefined, b: number, c?: Json): Promise<Json>");
  expect(text).toContain('this.call("put", [a, b, c])');
  expect(text).toContain("export class NodeClient ");
});

test("what is no document, or no name, is an error", () => {
  for (const wrong of [null, 7, {}, { openrpc: "1" }, { methods: [] }]) expect(() => generateClient(wrong as never)).toThrow("not an OpenRPC document");
  expect(() => generateClient({ openrpc: "1", methods: [] }, { name: "a b" })).toThrow("name of a class");
});

test("a title never takes the name of something else, nor one without an end", () => {
  const named = (title: string): string => generateClient({ ...NODE, info: { title, version: "1" } });
  for (const title of ["Rpc", "rpc"]) {
    const text = named(title);
    expect(text).toContain("export class RpcClient_ extends RpcClient<RpcClient_Events>");
    expect(compile({ "named.ts": text })).toBe("");
  }
  expect(named("x".repeat(5000))).toContain(`export class X${"x".repeat(63)}Client extends`);
}, 120_000);

test("schemas that are defined by themselves only are Json", () => {
  const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
  const schemas: { [name: string]: Schema } = {
    Loop: ref("Loop"), LoopA: ref("LoopB"), LoopB: { anyOf: [ref("LoopA"), { type: "null" }] }, Both: { allOf: [ref("Both"), { type: "object" }] },
    ToLoop: ref("Loop"), List: { type: "array", items: ref("List") }, Tree: { type: "object", properties: { left: ref("Tree") } }, Missing: ref("nothing"),
  };
  const text = generateClient({ openrpc: "1.3.2", methods: [{ name: "m", result: { schema: ref("LoopB") } }], components: { schemas } });
  expect(compile({ "loops.ts": text })).toBe("");
  for (const name of ["Loop", "LoopA", "LoopB", "Both"]) expect(text).toContain(`export type ${name} = Json;`);
  expect(text).toContain("export type List = (List)[];");
}, 120_000);

test("what is no OpenRPC document is said, and where", () => {
  const wrong: [unknown, string][] = [
    [null, "it needs"], [[], "it needs"], [{ openrpc: "1" }, "it needs"], [{ openrpc: "1", methods: {} }, "it needs"],
    [{ openrpc: "1", methods: [], info: { title: 5 } }, "\"info\""], [{ openrpc: "1", methods: [], info: [] }, "\"info\""],
    [{ openrpc: "1", methods: [{ name: "a" }, null] }, "\"methods[1]\""], [{ openrpc: "1", methods: [{ name: 7 }] }, "\"methods[0]\""],
    [{ openrpc: "1", methods: [{ name: "a", params: {} }] }, "\"methods[0]\""], [{ openrpc: "1", methods: [{ name: "a", params: [null] }] }, "\"methods[0]\""],
    [{ openrpc: "1", methods: [{ name: "a", description: 1 }] }, "\"methods[0]\""], [{ openrpc: "1", methods: [{ name: "a", result: null }] }, "\"methods[0]\""],
    [{ openrpc: "1", methods: [], "x-notifications": {} }, "\"x-notifications\""], [{ openrpc: "1", methods: [], "x-notifications": [null] }, "\"x-notifications\""],
    [{ openrpc: "1", methods: [], components: { schemas: [] } }, "\"components\""],
  ];
  for (const [document, part] of wrong) {
    expect(() => generateClient(document as OpenRpcDocument), JSON.stringify(document)).toThrow(`this is not an OpenRPC document: ${part}`);
  }
});
