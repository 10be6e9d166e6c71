// The clients of the fleet, or a part of them: each follows something, comes back when it loses its instance, and counts what it misses
// and what comes twice. tools/bench_fleet.py gives the orders.
//
//   node clients.js '{"front": "ws://HOST:PORT", "chain": URL, "clients": 200, "part": 0, "parts": 1, "drawers": 5}'
//
// Prints "ready" when each is where it wants to be.

import { CanvasFollower } from "./canvas_follower.js";
import { ChainFollower, placeOf } from "./chain_follower.js";
import { watchAll } from "./follower.js";
import { Published } from "./ledger.js";
import { obey, say } from "./orders.js";
import { StreamFollower } from "./stream_follower.js";

const CONNECTS_PER_SECOND = 150;
const DRAW_EVERY_MS = 1000; // each drawer
const PAGE_BLOCKS = 50;
const TOKEN = "0xfa4fa4e000000000000000000000000000000001";
const FILTERS = [{}, { address: TOKEN }];
const FAULTS_SHOWN = 20;

const options = JSON.parse(process.argv[2]);
const sizes = { width: 256, height: 128 };

const opens = []; // times, in ms
const closed = []; // the same
const closes = {}; // by code
const refused = {}; // by reason
let delays = [];
const fleet = {
  published: new Published(),
  onOpen: () => opens.push(Date.now()),
  onClose: (code) => {
    closes[code] = (closes[code] ?? 0) + 1;
    closed.push(Date.now());
  },
  onRefused: (why) => (refused[why] = (refused[why] ?? 0) + 1),
  onDelay: (at) => delays.push(Date.now() - at),
};

// Of ten clients three follow streams, three heads, two logs and two the canvas.
const KINDS = ["streams", "heads", "canvas", "logs", "streams", "heads", "streams", "canvas", "heads", "logs"];
const MAKE = {
  streams: (name, i) => new StreamFollower(name, options.front, fleet, i % 20 === 0 ? ["entries", "ticks"] : ["entries"]),
  heads: (name) => new ChainFollower(name, options.front, fleet, ["newHeads"]),
  logs: (name, i) => new ChainFollower(name, options.front, fleet, ["logs", FILTERS[Math.floor(i / 10) % FILTERS.length]]),
  canvas: (name) => new CanvasFollower(name, options.front, fleet, `fleet-${name}`),
};
const followers = Array.from({ length: options.clients }, (_, i) => {
  const kind = KINDS[i % KINDS.length];
  return Object.assign(MAKE[kind](`${kind}-${options.part}-${i}`, i), { kind });
});
const of = (kind) => followers.filter((one) => one.kind === kind);

let begun = 0;
const begin = setInterval(() => {
  for (let i = 0; i < CONNECTS_PER_SECOND / 10 && begun < followers.length; ++i) followers[begun++].connect();
  if (begun === followers.length && followers.every(({ isReady }) => isReady)) {
    clearInterval(begin);
    say("ready");
  }
}, 100);
watchAll(followers);

// Each drawer has the places whose number is its own one, modulo all drawers, in their order.
const drawers = of("canvas").slice(0, options.drawers);
let round = 0;
let drawing = null;
const place = (number) => [number % sizes.width, Math.floor(number / sizes.width), (Math.imul(number + 1, 0x9e3779b1) >>> 8) & 0xfffffe];
function draw() {
  drawers.forEach((drawer, i) => {
    const number = (round * drawers.length + i) * options.parts + options.part;
    if (number < sizes.width * sizes.height) drawer.draw(number, place(number));
  });
  ++round;
}

const count = (list) => {
  const sum = {};
  for (const one of list) sum[one.kind] = (sum[one.kind] ?? 0) + 1;
  return sum;
};

async function logsOfChain(filter, last) {
  const places = [];
  for (let from = 0; from <= last; from += PAGE_BLOCKS) {
    const range = { fromBlock: `0x${from.toString(16)}`, toBlock: `0x${Math.min(last, from + PAGE_BLOCKS - 1).toString(16)}` };
    const response = await fetch(options.chain, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_getLogs", params: [{ ...filter, ...range }] }),
    });
    const { result, error } = await response.json();
    if (error) throw new Error(error.message);
    places.push(...result.map(placeOf));
  }
  return places;
}

// A fresh client of each instance, whose picture is what the instance has.
async function pictures(instances) {
  const viewers = instances.map((base, i) => new CanvasFollower(`viewer ${i}`, base, { ...fleet, onOpen: () => {}, onClose: () => {} }));
  for (const viewer of viewers) viewer.connect();
  const end = Date.now() + 30_000;
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      if (viewers.some(({ isReady }) => !isReady) && Date.now() < end) return;
      clearInterval(timer);
      resolve();
    }, 50);
  });
  return viewers;
}

async function compare({ block, instances }) {
  let logs = 0;
  for (const filter of FILTERS) {
    const places = await logsOfChain(filter, block);
    for (const one of of("logs").filter(({ params }) => params[1] === filter)) logs += one.compare(places, block);
  }
  const viewers = await pictures(instances);
  for (const one of of("canvas")) if (one.state !== viewers[0].state) one.ledger.fault(`the canvas is ${one.state}, at the server ${viewers[0].state}`);
  let pixels = 0;
  for (const viewer of viewers) {
    if (viewer.state !== viewers[0].state) viewer.ledger.fault(`${viewer.ledger.name} has ${viewer.state}, the first has ${viewers[0].state}`);
    for (const drawer of drawers) {
      for (const [x, y, colour] of drawer.acknowledged.values()) {
        if (viewer.at(x, y) === colour) ++pixels;
        else viewer.ledger.lose(1, `pixel ${x},${y} of ${drawer.ledger.name}`);
      }
    }
    viewer.stop();
  }
  return { logs, pixels: pixels / viewers.length, ledgers: viewers.map(({ ledger }) => ledger) };
}

// Sums by kind, and the worst client.
function report(more = []) {
  const rows = {};
  for (const { kind, ledger, opens: times } of [...followers, ...more]) {
    const row = (rows[kind] ??= { clients: 0, events: 0, lost: 0, twice: 0, told: {}, toldEvents: 0, faults: 0, returns: 0, clientsWithGap: 0 });
    ++row.clients;
    row.events += ledger.events;
    row.lost += ledger.lost;
    row.twice += ledger.twice;
    row.toldEvents += ledger.toldEvents;
    row.faults += ledger.faultCount;
    row.returns += Math.max(0, times - 1);
    row.clientsWithGap += ledger.toldEvents > 0 ? 1 : 0;
    for (const [state, times] of Object.entries(ledger.told)) row.told[state] = (row.told[state] ?? 0) + times;
  }
  const faults = [...followers, ...more].flatMap(({ ledger }) => ledger.faults).sort();
  return { rows, faults: faults.slice(0, FAULTS_SHOWN), closes, refused };
}

obey({
  draw: () => void (drawing ??= setInterval(draw, DRAW_EVERY_MS)),
  rest: () => clearInterval(drawing),
  behind: (goal) => {
    const behind = followers.filter((one) => !one.hasReached(goal));
    return { behind: count(behind), example: behind[0]?.ledger.name };
  },
  // What has happened since the last time.
  opens: () => ({ opens: opens.splice(0), closed: closed.splice(0) }),
  delays: () => {
    const seen = delays;
    delays = [];
    return { delays: seen.length > 20_000 ? seen.filter((_, i) => i % Math.ceil(seen.length / 20_000) === 0) : seen };
  },
  compare: async (order) => {
    const { ledgers, ...sums } = await compare(order);
    return { ...sums, ...report(ledgers.map((ledger) => ({ kind: "instances", ledger, opens: 1 }))) };
  },
});
