// A real third-party node: anvil, on a port chosen by the system or on a given one.

import path from "node:path";
import { call } from "./fanfare.js";
import { E2E, startFor } from "./processes.js";

const ANVIL = path.join(E2E, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");

// Returns {program, url, port, ask(method, params)}. Blocks are mined only on request (ask("anvil_mine")), or every
// --block-time seconds if the flags contain that.
export async function startAnvil(t, flags = [], { port = 0 } = {}) {
  const program = startFor(t, "anvil", ANVIL, ["--port", String(port), ...flags]);
  const [, address] = await program.line(/^Listening on (\S+)/);
  const url = `http://${address}`;
  return { program, url, port: Number(new URL(url).port), ask: (method, params) => call(url, method, params) };
}

export const ANVIL_FIRST_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
