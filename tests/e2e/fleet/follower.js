// A client that comes back. It waits as docs/streams.md says ("hello": a random time that doubles, after the time in the close reason),
// and takes a server that has been silent for long for dead: a hung one says nothing.

import { WebSocket } from "ws";
import { Ledger } from "./ledger.js";

const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 8000;
const SILENT_MS = 5000; // then it is asked
const DEAD_MS = 10_000;
const LOOK_EVERY_MS = 1000;
const HANDSHAKE_MS = 15_000;

export class Follower {
  socket = null;
  opens = 0;
  isReady = false; // it is connected, and subscribed
  stopped = false;
  failures = 0;
  #timer;

  // `fleet`: {onOpen(), onClose(code), published}.
  constructor(name, url, fleet) {
    this.ledger = new Ledger(name);
    this.url = url;
    this.fleet = fleet;
  }

  // For the classes below this one: protocols, onOpen(), onMessage(data, isBinary).
  get protocols() {
    return [];
  }

  connect() {
    const socket = (this.socket = new WebSocket(this.address ?? this.url, this.protocols, { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_MS }));
    this.heard = Date.now();
    socket.on("open", () => {
      ++this.opens;
      this.heard = Date.now();
      this.fleet.onOpen();
      this.onOpen();
    });
    socket.on("pong", () => (this.heard = Date.now()));
    socket.on("message", (data, isBinary) => {
      this.heard = Date.now();
      this.onMessage(data, isBinary);
    });
    socket.on("error", () => {});
    socket.on("close", (code, reason) => this.#closed(code, String(reason)));
  }

  // It is where it wants to be: the next failure is the first one.
  ready() {
    this.isReady = true;
    this.failures = 0;
  }

  #closed(code, reason) {
    this.isReady = false;
    if (this.stopped) return;
    this.fleet.onClose(code);
    if (code === 1008 || code === 1009) this.ledger.fault(`closed with ${code} ${reason}`);
    const most = Math.min(WAIT_MIN_MS * 2 ** this.failures++, WAIT_MAX_MS);
    const hint = /try again in (\d+) s$/.exec(reason);
    const wait = (hint ? Number(hint[1]) * 1000 : 0) + (most / 2) * (1 + Math.random());
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  // Called every LOOK_EVERY_MS.
  look(now) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (now - this.heard > DEAD_MS) this.socket.terminate();
    else if (now - this.heard > SILENT_MS) this.socket.ping();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.#timer);
    this.socket?.terminate();
  }
}

// After a pause of this process nobody is taken for dead: what came meanwhile has not been read yet.
export function watchAll(followers) {
  let before = Date.now();
  return setInterval(() => {
    const now = Date.now();
    const hasPaused = now - before > 2 * LOOK_EVERY_MS;
    before = now;
    for (const one of followers) {
      if (hasPaused) one.heard = now;
      one.look(now);
    }
  }, LOOK_EVERY_MS);
}
