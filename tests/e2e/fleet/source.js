// What the instances of the fleet poll: the development chain behind a proxy that counts every call by method, and a document whose
// entries are numbered. The numbers follow the clock, not the polls, so it does not matter who polls, or when.
//
//   node source.js CHAIN_URL           prints "listening PORT"
//   GET /counts                        {"counts": {METHOD: calls}, "last": NUMBER}; polls of the head are counted apart
//   POST /freeze                       no further entries; {"last": NUMBER}

import http from "node:http";
import { NodeProxy } from "../support/node_proxy.js";

const ENTRIES_PER_SECOND = 10;
const LISTED = 600; // a minute: no pause of a run is as long
const begun = Date.now();
let frozen = null;

const lastEntry = () => frozen ?? Math.floor(((Date.now() - begun) * ENTRIES_PER_SECOND) / 1000);

function entries() {
  const last = lastEntry();
  const first = Math.max(0, last - LISTED + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => ({ id: first + i, at: begun + ((first + i) * 1000) / ENTRIES_PER_SECOND }));
}

// An instance asks for the latest block in a rhythm of its own, whoever its clients are; other blocks it asks for because something misses them.
const POLLS = "polls of the head";
let polls = 0;
const countPoll = ({ method, params }) => {
  if (method === "eth_getBlockByNumber" && params?.[0] === "latest") polls++;
};
const counts = () => {
  const counted = Object.fromEntries(proxy.calls);
  return { ...counted, [POLLS]: polls, eth_getBlockByNumber: (counted.eth_getBlockByNumber ?? 0) - polls };
};

let ticks = 0;
const ANSWERS = { fleet_entries: entries, fleet_ticks: () => ({ n: ++ticks, at: Date.now() }) };

const proxy = await NodeProxy.start({ after: () => {} }, process.argv[2], {
  answer: (asked, respond) => {
    countPoll(asked);
    const answer = ANSWERS[asked.method];
    if (answer) respond(200, JSON.stringify({ jsonrpc: "2.0", id: asked.id, result: answer() }));
    return Boolean(answer);
  },
});
proxy.server.keepAliveTimeout = 120_000; // as a node's, or each pause of calls is followed by checks of the chain over a new connection
const orders = http.createServer((request, response) => {
  if (request.url === "/freeze") frozen ??= lastEntry();
  response.end(JSON.stringify({ counts: counts(), last: lastEntry() }));
});
orders.listen(0, "127.0.0.1", () => console.log(`listening ${new URL(proxy.url).port} orders ${orders.address().port}`));
