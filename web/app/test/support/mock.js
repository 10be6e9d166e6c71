// A server for the faces of the panels: every message is chosen by the test, so each face can be shown on purpose.

const kStart = 1764181800;

export const kInfo = {
  version: "0.1.0",
  networks: [{ project: "main", chain_id: 1337, path: "/", development: { block_time_ms: 1000 } }],
  streams: "/streams",
  metrics: "/metrics",
};

const wave = (index, period, phase = 0) => Math.sin((index / period) * 2 * Math.PI + phase);

// Like the real thing: slow tides and a little noise, the same in every run.
export function networkValue(index) {
  const noise = ((index * 7919) % 101) / 101 - 0.5;
  return {
    network_strength: Math.round((82 + 9 * wave(index, 90) + 5 * noise) * 10) / 10,
    block_height: 1204 + index * 2,
    finality_time: Math.round((2.1 + 0.5 * wave(index, 60, 1) + 0.3 * noise) * 100) / 100,
    peer_count: 23 + Math.round(4 * wave(index, 120)),
    tps: Math.round((18 + 6 * wave(index, 45, 2) + 5 * noise) * 10) / 10,
    bandwidth_in: Math.round(184_000 + 60_000 * wave(index, 50) + 40_000 * noise),
    bandwidth_out: Math.round(342_000 + 90_000 * wave(index, 70, 1) + 50_000 * noise),
    active_connections: 18,
  };
}

export const kMarkets = {
  overall_status: "degraded",
  healthy_markets: 3,
  total_markets: 4,
  markets: {
    compute: { status: "healthy", providers: 42, open_orders: 318, price: 0.0231 },
    storage: { status: "healthy", providers: 117, open_orders: 92, price: 0.0014 },
    energy: { status: "degraded", providers: 9, open_orders: 41, price: 0.187 },
    ads: { status: "healthy", providers: 23, open_orders: 1204, price: 0.0008 },
  },
};

const hex = (seed, digits) => {
  let text = "";
  for (let value = seed * 2654435761 + 12345; text.length < digits; value = (value * 1103515245 + 12345) % 2147483648) text += (value % 65536).toString(16).padStart(4, "0");
  return `0x${text.slice(0, digits)}`;
};

export const receipt = (index, now) => ({
  id: hex(index, 64),
  market: ["compute", "storage", "energy", "ads"][index % 4],
  block_height: 1800 - index,
  timestamp: now - index * 3,
  provider: hex(index + 500, 40),
  consumer: hex(index + 900, 40),
  amount: index % 3 === 1 ? 4.7e-8 : Math.round(200_000 / (index + 1)) / 80,
});

export const kPeers = {
  total: 12,
  peers: Array.from({ length: 12 }, (_, index) => ({
    id: hex(index + 77, 40),
    address: `10.${index}.4.${index * 17 + 3}:30303`,
    latency_ms: Math.round(18 + ((index * 53) % 290) * (index % 3 === 0 ? 0.2 : 1)),
    is_validator: index % 4 === 0,
  })),
};

// Newest first are numbers; `fork` blocks carry another letter.
export function header(number, branch = 0, parentBranch = branch, now = Math.floor(Date.now() / 1000)) {
  return {
    number: `0x${number.toString(16)}`,
    hash: hex(number * 10 + branch, 64),
    parentHash: hex((number - 1) * 10 + parentBranch, 64),
    timestamp: `0x${(now - (1830 - number)).toString(16)}`,
    gasUsed: `0x${(6_000_000 + ((number * 7919) % 19) * 1_100_000 + branch * 900_000).toString(16)}`,
    gasLimit: `0x${(30_000_000).toString(16)}`,
    baseFeePerGas: `0x${(870_000_000 + ((number * 104729) % 97) * 4_000_000).toString(16)}`,
    miner: hex(5, 40),
  };
}

export const kHeads = [
  ...Array.from({ length: 14 }, (_, index) => header(1812 + index)), // to 1825
  header(1823, 1, 0),
  header(1824, 1),
  header(1825, 1),
  header(1826, 1),
  header(1829, 1),
  header(1830, 1),
];

const send = (socket, message) => socket.send(JSON.stringify(message));

// `face`: "live", "loading", "empty", "unavailable", "interrupted", or "stale", which is interrupted after values.
// `history`: the values of network_metrics instead, as [seconds ago, offset].
function answerStream(socket, { stream, id }, face, history) {
  const now = Math.floor(Date.now() / 1000);
  const position = { epoch: 1, offset: 300 };
  if (history && stream === "network_metrics") {
    return send(socket, { type: "subscribed", id, stream, position, history: history.map(([ago, offset]) => ({ data: networkValue(offset), timestamp: now - ago, offset })) });
  }
  if (face === "loading") return;
  if (face === "unavailable") return send(socket, { type: "error", id, stream, code: "unknown_stream", message: `there is no stream "${stream}"; streams: none` });
  const full = {
    network_metrics: () => Array.from({ length: 300 }, (_, index) => ({ data: networkValue(index), timestamp: now - (300 - index) * 2, offset: index })).filter((_, index) => index < 180 || index > 200),
    markets_health: () => [{ data: kMarkets, timestamp: now, offset: 1 }],
    receipts: () => [{ data: { receipts: Array.from({ length: 24 }, (_, index) => receipt(index, now)), count: 24 }, timestamp: now, offset: 1 }],
    peers: () => [{ data: kPeers, timestamp: now, offset: 1 }],
  };
  const empty = { network_metrics: {}, markets_health: { overall_status: "healthy", markets: {}, healthy_markets: 0, total_markets: 0 }, receipts: { receipts: [], count: 0 }, peers: { peers: [], total: 0 } };
  if (face === "interrupted") {
    send(socket, { type: "subscribed", id, stream, position, history: [] });
    return send(socket, { type: "notice", stream, state: "interrupted", reason: "the node did not answer within 10 s", timestamp: now, offset: 301 });
  }
  send(socket, { type: "subscribed", id, stream, position, history: face === "empty" ? [{ data: empty[stream], timestamp: now, offset: 1 }] : full[stream]() });
  if (face === "stale") send(socket, { type: "notice", stream, state: "interrupted", reason: "the node did not answer within 10 s", timestamp: now, offset: 301 });
}

export async function mock(page, { face = "live", metrics = "", info = kInfo, down = false, streams = [], history = undefined } = {}) {
  await page.route("**/fanfare.json", (route) => (down ? route.abort() : route.fulfill({ json: { ...info, metrics: face === "empty" ? null : info.metrics } })));
  await page.route("**/metrics", (route) => {
    if (down || face === "unavailable") return route.abort();
    if (face === "loading") return undefined;
    return route.fulfill({ body: metrics });
  });
  await page.routeWebSocket(/./, (socket) => {
    if (down) return socket.close({ code: 1011 });
    const isStreams = new URL(socket.url()).pathname === "/streams";
    if (isStreams) send(socket, { type: "welcome", message: "", available_streams: [], timestamp: kStart });
    socket.onMessage((text) => {
      const message = JSON.parse(text);
      if (message.type === "hello") return send(socket, { type: "hello", id: message.id, reconnect: { min_ms: 500, max_ms: 30000 }, ping_interval_ms: 30000, limits: { subscriptions: 64, message_bytes: 4096, messages_per_second: 20 }, streams });
      if (message.type === "ping") return send(socket, { type: "pong", id: message.id });
      if (message.type === "subscribe") return answerStream(socket, message, face, history);
      if (message.method === "eth_chainId") return send(socket, { jsonrpc: "2.0", id: message.id, result: "0x539" });
      if (message.method === "eth_subscribe") {
        if (face === "loading") return undefined;
        if (face === "unavailable" || face === "interrupted") return send(socket, { jsonrpc: "2.0", id: message.id, error: { code: -32603, message: "the chain cannot be followed at present, try again later" } });
        send(socket, { jsonrpc: "2.0", id: message.id, result: "0x1" });
        const note = (params) => send(socket, { jsonrpc: "2.0", method: "eth_subscription", params: { subscription: "0x1", ...params } });
        if (face === "empty") return note({ notice: { type: "live", block: "0x0" }, cursor: "A" });
        return kHeads.forEach((head) => note({ result: head, cursor: "A" }));
      }
      return undefined;
    });
  });
}
