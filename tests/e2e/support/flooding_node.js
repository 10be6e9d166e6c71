// A WebSocket node that floods its clients. It is a separate program, so that it and the test never wait for
// each other:
//
//   node flooding_node.js [CHAIN_ID] [BLOCK_MS]     prints "listening PORT"
//   POST /flood/KIND                                from now on every connection gets KIND, a key of FLOODS;
//                                                   none: it behaves as an honest node again
//   GET /counts                                     {"connections", "sent_bytes", "asked"}
//
// Without a flood it is an honest node: it makes a block every BLOCK_MS and notifies newHeads subscribers.

import http from "node:http";
import { createHash } from "node:crypto";
import { WebSocketServer } from "ws";

const chainId = Number(process.argv[2] ?? 31337);
const blockMs = Number(process.argv[3] ?? 200);
const CHUNK_BYTES = 256 * 1024;

const hex = (number) => `0x${number.toString(16)}`;
const hash = (text) => `0x${createHash("sha256").update(`${chainId}/${text}`).digest("hex")}`;
const zeros = (bytes) => `0x${"00".repeat(bytes)}`;
const block = (number, branch = "") => ({
  hash: hash(`${number}${branch}`), parentHash: hash(`${number - 1}${branch}`), number: hex(number),
  sha3Uncles: "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347", miner: zeros(20),
  stateRoot: zeros(32), transactionsRoot: zeros(32), receiptsRoot: zeros(32), logsBloom: zeros(256),
  difficulty: "0x0", gasLimit: "0x1c9c380", gasUsed: "0x0", timestamp: hex(1_700_000_000 + number), extraData: "0x",
  mixHash: zeros(32), nonce: zeros(8), baseFeePerGas: "0x7",
});

let head = 16;
let kind = "none";
const counts = { connections: 0, sent_bytes: 0, asked: 0 };
const tellers = new Map(); // socket: id of its newHeads subscription

// A server's frame (RFC6455§5.2).
function frame(payload, first = 0x81) {
  const data = Buffer.from(payload);
  let top;
  if (data.length < 126) {
    top = Buffer.from([first, data.length]);
  } else if (data.length < 65536) {
    top = Buffer.from([first, 126, data.length >> 8, data.length & 255]);
  } else {
    top = Buffer.alloc(10);
    top.set([first, 127]);
    top.writeBigUInt64BE(BigInt(data.length), 2);
  }
  return Buffer.concat([top, data]);
}

// A chunk of frames that can be sent repeatedly.
function repeated(make) {
  const frames = [];
  let bytes = 0;
  for (let i = 0; bytes < CHUNK_BYTES; ++i) {
    frames.push(frame(make(i)));
    bytes += frames.at(-1).length;
  }
  const chunk = Buffer.concat(frames);
  return () => () => chunk;
}
const told = (id, result) => JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params: { subscription: id, result } });

// For each kind: (socket) -> () -> the next bytes.
const FLOODS = {
  junk: repeated(() => "garbage ".repeat(24)),
  notifications: repeated((i) => told("0xnobody", block(i))),
  answers: repeated((i) => JSON.stringify({ jsonrpc: "2.0", id: 1e9 + i, result: "0x1" })),
  // New heads that fit the chain, sent to the requested subscription.
  heads: (socket) => {
    let number = head;
    return () => Buffer.concat(Array.from({ length: 200 }, () => frame(told(tellers.get(socket) ?? "0x1", block(++number)))));
  },
  // Another block of the same height each time.
  branches: (socket) => {
    let branch = 0;
    return () => Buffer.concat(Array.from({ length: 200 }, () => frame(told(tellers.get(socket) ?? "0x1", block(head, `/${++branch}`)))));
  },
  huge: () => {
    const message = frame("garbage ".repeat((32 << 20) / 8));
    return () => message;
  },
  // One message that never ends.
  endless: () => {
    const part = frame("x".repeat(CHUNK_BYTES), 0x00);
    let begun = false;
    return () => (begun ? part : ((begun = true), frame("x", 0x01)));
  },
};

function flood(socket) {
  const raw = socket._socket;
  if (kind === "none" || raw === null || raw.flooding === kind) return;
  const mine = (raw.flooding = kind);
  const next = FLOODS[kind](socket);
  const go = () => {
    while (!raw.destroyed && raw.flooding === mine && kind === mine) {
      const chunk = next();
      counts.sent_bytes += chunk.length;
      if (!raw.write(chunk)) return raw.once("drain", () => setImmediate(go));
    }
    raw.flooding = undefined;
  };
  go();
}

function result(method, params) {
  switch (method) {
    case "eth_chainId": return hex(chainId);
    case "net_version": return String(chainId);
    case "eth_blockNumber": return hex(head);
    case "eth_syncing": return false;
    case "eth_getLogs": return [];
    case "eth_getBlockReceipts": return [];
    case "eth_getBlockByNumber": {
      const number = params[0] === "latest" || params[0] === "pending" ? head : params[0] === "finalized" || params[0] === "safe" ? 1 : params[0] === "earliest" ? 0 : Number(params[0]);
      return number > head ? null : { ...block(number), transactions: [], uncles: [], size: "0x200", totalDifficulty: "0x0" };
    }
    case "eth_getBlockByHash":
      for (let number = head; number >= 0; --number) {
        if (hash(`${number}`) === params[0]) return { ...block(number), transactions: [], uncles: [], size: "0x200", totalDifficulty: "0x0" };
      }
      return null;
    default: return undefined;
  }
}

function answer(request, subscribe) {
  ++counts.asked;
  const { id, method, params = [] } = request;
  const found = method === "eth_subscribe" ? subscribe(params[0]) : method === "eth_unsubscribe" ? true : result(method, params);
  if (found === undefined) return { jsonrpc: "2.0", id, error: { code: -32601, message: `no method ${method}` } };
  return { jsonrpc: "2.0", id, result: found };
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.once("end", () => {
    if (request.url.startsWith("/flood/")) {
      kind = request.url.slice("/flood/".length);
      for (const socket of sockets.clients) flood(socket);
      response.end("{}");
    } else if (request.url === "/counts") {
      response.end(JSON.stringify({ ...counts, head }));
    } else {
      const asked = JSON.parse(Buffer.concat(parts).toString());
      const none = () => undefined;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(Array.isArray(asked) ? asked.map((one) => answer(one, none)) : answer(asked, none)));
    }
  });
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  ++counts.connections;
  let subscriptions = 0;
  socket.on("error", () => {});
  socket.on("close", () => tellers.delete(socket));
  socket.on("message", (data) => {
    const asked = JSON.parse(data.toString());
    socket.send(JSON.stringify(answer(asked, (topic) => {
      const id = hex(++subscriptions);
      if (topic === "newHeads") tellers.set(socket, id);
      return id;
    })));
    if (asked.method === "eth_subscribe") flood(socket);
  });
});
setInterval(() => {
  ++head;
  if (kind !== "none") return;
  for (const [socket, id] of tellers) socket.send(told(id, block(head)));
}, blockMs);
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
process.once("SIGTERM", () => process.exit(0));
