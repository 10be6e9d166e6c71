// Clients of single instances, which are not moved when another instance ends: each asks its instance all the time, and measures how long
// an answer takes.
//
//   node steady.js '{"instances": ["ws://HOST:PORT", ...], "clients": 60}'       prints "ready"
//   order `window {"at": [0, 2]}`       the times of the clients of these instances since the last order, as {"pong": [..], "call": [..]}

import { Follower, watchAll } from "./follower.js";
import { Published } from "./ledger.js";
import { obey, say } from "./orders.js";

const ASK_EVERY_MS = 250;
const options = JSON.parse(process.argv[2]);
const fleet = { published: new Published(), onOpen: () => {}, onClose: () => {}, onRefused: () => {}, onDelay: () => {} };
let times = []; // {instance, kind, ms}

// Asks when its last question was answered.
class Asker extends Follower {
  asked = null;
  onOpen() {
    this.asked = null;
    this.ready();
  }
  onMessage(data) {
    if (this.asked === null || JSON.parse(data).id !== 7) return;
    times.push({ instance: this.instance, kind: this.kind, ms: performance.now() - this.asked });
    this.asked = null;
  }
  ask() {
    if (!this.isReady || this.asked !== null) return;
    this.asked = performance.now();
    this.send(this.question);
  }
}

const QUESTIONS = {
  pong: ["/streams", { type: "ping", id: 7 }],
  call: ["/main/evm/1337", { jsonrpc: "2.0", id: 7, method: "eth_gasPrice", params: [] }],
};
const askers = Array.from({ length: options.clients }, (_, i) => {
  const kind = i % 2 ? "pong" : "call";
  const instance = (i >> 1) % options.instances.length;
  const [path, question] = QUESTIONS[kind];
  return Object.assign(new Asker(`steady-${i}`, options.instances[instance] + path, fleet), { kind, instance, question });
});
for (const one of askers) one.connect();
watchAll(askers);
// One after another, so that they do not wait for each other.
let next = 0;
setInterval(() => askers[next++ % askers.length].ask(), ASK_EVERY_MS / options.clients);
const begin = setInterval(() => {
  if (!askers.every(({ isReady }) => isReady)) return;
  clearInterval(begin);
  say("ready");
}, 50);

obey({
  window: ({ at }) => {
    const seen = times.filter(({ instance }) => at.includes(instance));
    times = [];
    const of = (kind) => seen.filter((one) => one.kind === kind).map(({ ms }) => ms);
    return { pong: of("pong"), call: of("call") };
  },
});
