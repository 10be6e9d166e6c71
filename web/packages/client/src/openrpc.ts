// Writes a typed client from an OpenRPC document, as `rpc.discover` returns it: one TypeScript file on top of RpcClient.
// Names and descriptions come from a server, so nothing of them becomes code.

/** JSON Schema, as far as types follow from it. */
export type Schema = boolean | {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
};
export interface OpenRpcParam { readonly name: string; readonly description?: string; readonly required?: boolean; readonly schema?: Schema }
export interface OpenRpcMethod {
  readonly name: string;
  readonly description?: string;
  readonly summary?: string;
  readonly paramStructure?: string;
  readonly params?: readonly OpenRpcParam[];
  readonly result?: { readonly schema?: Schema };
  readonly "x-permission"?: string;
}
export interface OpenRpcEvent { readonly name: string; readonly description?: string; readonly broadcast?: boolean; readonly schema?: Schema; readonly "x-permission"?: string }
export interface OpenRpcDocument {
  readonly openrpc: string;
  readonly info?: { readonly title?: string; readonly version?: string };
  readonly methods: readonly OpenRpcMethod[];
  readonly "x-notifications"?: readonly OpenRpcEvent[];
  readonly components?: { readonly schemas?: { readonly [name: string]: Schema } };
}
export interface GenerateOptions {
  /** Of the class, an identifier. Default: made of the document's title. */
  readonly name?: string;
}

/** Deeper schemas are `Json`. */
export const DEPTH_MAX = 32;
/** Of a class whose name is made of a title. */
export const CLASS_NAME_MAX = 64;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
// What a class, a parameter or RpcClient has already.
const RESERVED_MEMBERS = new Set(["constructor", "__proto__", "prototype", "call", "close", "connect", "state", "subscribe", "positionOf", "then",
  ...Object.getOwnPropertyNames(Object.prototype)]);
const RESERVED_WORDS = new Set(("arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements " +
  "import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield").split(" "));
const RESERVED_TYPES = new Set(["Json", "RpcClient", "RpcClientOptions", "Promise", "Record", "any", "unknown", "never", "string", "number", "boolean", "object", "symbol", "bigint", "undefined"]);

const REF = /^#\/components\/schemas\//;

/** The schemas that a type alias would refer to directly: not as the members or elements of an object or an array. */
function directRefs(schema: Schema | undefined, depth = 0): string[] {
  if (typeof schema !== "object" || schema === null || depth > DEPTH_MAX) return [];
  if (schema.$ref !== undefined) return [schema.$ref.replace(REF, "")];
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
  return choices.flatMap((each) => directRefs(each, depth + 1));
}

/** Those of the schemas that are defined by nothing but themselves, which TypeScript refuses: `type A = A | null`. */
function circular(schemas: { readonly [name: string]: Schema }): Set<string> {
  const refs = new Map(Object.entries(schemas).map(([name, schema]) => [name, directRefs(schema)]));
  return new Set([...refs.keys()].filter((name) => {
    const seen = new Set<string>();
    const next = [...refs.get(name)!];
    while (next.length > 0) {
      const one = next.pop()!;
      if (one === name) return true;
      if (!seen.has(one)) next.push(...(refs.get(one) ?? []));
      seen.add(one);
    }
    return false;
  }));
}

const quoted = (text: string): string => JSON.stringify(text);
const property = (name: string): string => (IDENTIFIER.test(name) && name !== "__proto__" ? name : quoted(name));

class Writer {
  readonly #types = new Map<string, string>();

  constructor(private readonly document: OpenRpcDocument, private readonly taken: Set<string>) {
    for (const name of Object.keys(document.components?.schemas ?? {})) this.#types.set(name, this.#free(name.replace(/[^\w$]/g, "_")));
  }

  #free(wanted: string): string {
    let name = IDENTIFIER.test(wanted) ? wanted : `_${wanted}`;
    while (this.taken.has(name) || RESERVED_TYPES.has(name) || RESERVED_WORDS.has(name)) name += "_";
    this.taken.add(name);
    return name;
  }

  declarations(): string[] {
    const schemas = this.document.components?.schemas ?? {};
    const isCircular = circular(schemas);
    return Object.entries(schemas).map(([name, schema]) => `export type ${this.#types.get(name)} = ${isCircular.has(name) ? "Json" : this.type(schema)};\n`);
  }

  type(schema: Schema | undefined, depth = 0): string {
    if (schema === undefined || schema === true || depth > DEPTH_MAX) return "Json";
    if (schema === false) return "never";
    if (schema === null || typeof schema !== "object") return "Json";
    const inner = (each: Schema | undefined): string => this.type(each, depth + 1);
    const union = (all: readonly string[]): string => [...new Set(all)].join(" | ") || "never";
    if (schema.$ref !== undefined) return this.#types.get(schema.$ref.replace(REF, "")) ?? "Json";
    if (schema.const !== undefined) return this.#literal(schema.const);
    if (schema.enum) return union(schema.enum.map((value) => this.#literal(value)));
    const choice = schema.anyOf ?? schema.oneOf;
    if (choice) return union(choice.map(inner));
    if (schema.allOf) return schema.allOf.map((each) => `(${inner(each)})`).join(" & ") || "Json";
    if (Array.isArray(schema.type)) return union(schema.type.map((type: string) => this.type({ ...schema, type }, depth + 1)));
    switch (schema.type) {
      case "string": case "boolean": case "null": case "number": return schema.type;
      case "integer": return "number";
      case "array": return schema.prefixItems ? `[${schema.prefixItems.map(inner).join(", ")}]` : `(${inner(schema.items)})[]`;
      case "object": return this.#object(schema, depth);
      default: return schema.properties ? this.#object(schema, depth) : "Json";
    }
  }

  #literal(value: unknown): string {
    return value === null || ["string", "number", "boolean"].includes(typeof value) ? JSON.stringify(value) : "Json";
  }

  #object(schema: Exclude<Schema, boolean>, depth: number): string {
    const fields = Object.entries(schema.properties ?? {}).map(([name, each]) => {
      const isRequired = schema.required?.includes(name) ?? false;
      return `${property(name)}${isRequired ? "" : "?"}: ${this.type(each, depth + 1)}`;
    });
    const others = schema.additionalProperties;
    if (fields.length === 0) return others === false ? "Record<string, never>" : `{ [name: string]: ${this.type(others, depth + 1)} }`;
    return `{ ${fields.join("; ")} }`;
  }
}

function comment(indent: string, lines: readonly (string | undefined)[]): string {
  const text = lines.filter((line) => line).flatMap((line) => line!.replace(/\*\//g, "* /").split(/[\r\n\u2028\u2029]+/));
  if (text.length === 0) return "";
  return text.length === 1 ? `${indent}/** ${text[0]} */\n` : `${indent}/**\n${text.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

function permission(of: { readonly "x-permission"?: string }): string | undefined {
  return of["x-permission"] === undefined ? undefined : `Needs the permission ${of["x-permission"]}.`;
}

function className(document: OpenRpcDocument, options: GenerateOptions): string {
  if (options.name !== undefined) {
    if (!IDENTIFIER.test(options.name) || RESERVED_WORDS.has(options.name) || RESERVED_TYPES.has(options.name)) throw new Error(`"${options.name}" cannot be the name of a class`);
    return options.name;
  }
  const words = (document.info?.title ?? "").match(/[A-Za-z0-9]+/g) ?? [];
  const title = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("").slice(0, CLASS_NAME_MAX);
  const name = /^[A-Za-z]/.test(title) ? `${title}Client` : "NodeClient";
  return RESERVED_TYPES.has(name) ? `${name}_` : name;
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } => typeof value === "object" && value !== null && !Array.isArray(value);
const isAbsentOr = (value: unknown, test: (value: unknown) => boolean): boolean => value === undefined || test(value);
const isText = (value: unknown): boolean => typeof value === "string";
const isNamed = (value: unknown): boolean => isObject(value) && isText(value.name) && isAbsentOr(value.description, isText) && isAbsentOr(value["x-permission"], isText);
const areNamed = (value: unknown): boolean => Array.isArray(value) && value.every(isNamed);

/** What makes it no OpenRPC document; "" if nothing. */
function problemOf(document: unknown): string {
  if (!isObject(document) || !isText(document.openrpc) || !Array.isArray(document.methods)) return "it needs \"openrpc\" and \"methods\"";
  if (!isAbsentOr(document.info, (info) => isObject(info) && isAbsentOr(info.title, isText) && isAbsentOr(info.version, isText))) return "\"info\" needs a title and a version, which are texts";
  const method = document.methods.findIndex((one: unknown) => !isNamed(one) || !isAbsentOr((one as OpenRpcMethod).params, areNamed) ||
    !isAbsentOr((one as OpenRpcMethod).result, isObject) || !isAbsentOr((one as OpenRpcMethod).summary, isText));
  if (method >= 0) return `"methods[${method}]" needs a name, and parameters with names`;
  if (!isAbsentOr(document["x-notifications"], areNamed)) return "\"x-notifications\" needs a list of events with names";
  if (!isAbsentOr(document.components, (all) => isObject(all) && isAbsentOr(all.schemas, isObject))) return "\"components\" needs \"schemas\" by name";
  return "";
}

function method(writer: Writer, one: OpenRpcMethod, member: string): string {
  const names = new Set<string>();
  const all = one.params ?? [];
  // Of two with the same name, the first.
  const params = all.filter(({ name }, index) => all.findIndex((param) => param.name === name) === index).map((param, index) => {
    const isName = IDENTIFIER.test(param.name) && !RESERVED_WORDS.has(param.name) && !names.has(param.name);
    const name = isName ? param.name : `p${index}_`;
    names.add(name);
    return { ...param, name, key: param.name };
  });
  const lastRequired = params.map(({ required }) => required === true).lastIndexOf(true);
  const list = params.map((param, index) => {
    const type = writer.type(param.schema);
    if (param.required) return `${param.name}: ${type}`;
    return index > lastRequired ? `${param.name}?: ${type}` : `${param.name}: ${type} | undefined`;
  });
  const values = params.map(({ name, key }) => (key === "__proto__" ? `["__proto__"]: ${name}` : `${property(key)}: ${name}`));
  const byPosition = one.paramStructure === "by-position";
  const passed = params.length === 0 ? "" : byPosition ? `, [${params.map(({ name }) => name).join(", ")}]` : `, { ${values.join(", ")} }`;
  const result = writer.type(one.result?.schema);
  const about = [one.description ?? one.summary, permission(one), ...params.map(({ name, description }) => (description ? `@param ${name} ${description}` : undefined))];
  return `${comment("  ", about)}  ${property(member)}(${list.join(", ")}): Promise<${result}> {\n` +
    `    return this.call(${quoted(one.name)}${passed}) as Promise<unknown> as Promise<${result}>;\n  }\n`;
}

/** The text of a TypeScript file. Throws an Error if the document is none. */
export function generateClient(document: OpenRpcDocument, options: GenerateOptions = {}): string {
  const problem = problemOf(document);
  if (problem) throw new Error(`this is not an OpenRPC document: ${problem}`);
  const name = className(document, options);
  const events = document["x-notifications"] ?? [];
  const eventsName = `${name}Events`;
  const writer = new Writer(document, new Set([name, eventsName]));
  const members = new Set<string>();
  const methods = document.methods.filter((one) => !(events.length > 0 && ["subscribe", "unsubscribe"].includes(one.name))).map((one) => {
    let member = one.name;
    while (RESERVED_MEMBERS.has(member) || members.has(member)) member += "_";
    members.add(member);
    return method(writer, one, member);
  });
  const seen = new Set<string>();
  const fields = events.filter((event) => !seen.has(event.name) && seen.add(event.name))
    .map((event) => `${comment("  ", [event.description, permission(event)])}  ${property(event.name)}: ${writer.type(event.schema)};\n`);
  const broadcasts = events.filter(({ broadcast }) => broadcast).map((event) => quoted(event.name));
  const source = [document.info?.title, document.info?.version].filter((part) => part).join(" ").replace(/[\r\n\u2028\u2029]+/g, " ");
  return `// Made by fanfare-openrpc from the OpenRPC document${source ? ` of ${source}` : ""}. Do not edit: make it again.\n` +
    `import { RpcClient, type Json, type RpcClientOptions } from "@fanfare/client";\n\nexport type { Json };\n` +
    `${writer.declarations().map((one) => `\n${one}`).join("")}\n` +
    `export type ${eventsName} = {\n${fields.join("")}};\n\n` +
    `export class ${name} extends RpcClient<${eventsName}> {\n` +
    `  constructor(options: RpcClientOptions) {\n    super(options, [${broadcasts.join(", ")}]);\n  }\n${methods.map((one) => `\n${one}`).join("")}}\n`;
}
