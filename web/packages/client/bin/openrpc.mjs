#!/usr/bin/env node
// fanfare-openrpc URL|FILE [--out FILE] [--name CLASS]: writes a typed client from an OpenRPC document. The document is
// read from a file, or asked for with `rpc.discover` at an http:// or https:// address.
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { generateClient } from "../dist/openrpc.js";

const USAGE = "usage: fanfare-openrpc URL|FILE [--out FILE] [--name CLASS]\n";

async function read(source) {
  if (!/^https?:\/\//.test(source)) return JSON.parse(await readFile(source, "utf8"));
  const url = new URL(source);
  const headers = { "content-type": "application/json" };
  if (url.username || url.password) {
    headers.authorization = `Basic ${btoa(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`)}`;
    url.username = url.password = "";
  }
  const response = await fetch(url, {
    method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "rpc.discover" }), signal: AbortSignal.timeout(30_000),
  });
  const answer = await response.json().catch(() => { throw new Error(`${url} answered with status ${response.status} and no JSON`); });
  if (answer.error) throw new Error(`${url}: ${answer.error.message}`);
  return answer.result;
}

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: "string" }, name: { type: "string" }, help: { type: "boolean" } } });
  if (values.help) {
    process.stdout.write(USAGE);
  } else if (positionals.length !== 1) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
  } else {
    const text = generateClient(await read(positionals[0]), { name: values.name });
    if (values.out) await writeFile(values.out, text);
    else process.stdout.write(text);
  }
} catch (error) {
  process.stderr.write(`fanfare-openrpc: ${error.message}\n`);
  process.exitCode = 1;
}
