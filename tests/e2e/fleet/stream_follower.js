// Follows the streams of docs/streams.md with positions. `entries` has numbered entries: each must come once. Every value and notice
// of a position must be the same at all clients.

import { Follower } from "./follower.js";

export class StreamFollower extends Follower {
  constructor(name, base, fleet, streams) {
    super(name, `${base}/streams`, fleet);
    this.streams = new Map(streams.map((stream) => [stream, { position: null, entry: null, entryGapTold: false, gapTold: false, answered: false }]));
  }

  onOpen() {
    for (const [stream, state] of this.streams) {
      state.answered = false;
      this.send({ type: "subscribe", stream, ...(state.position ? { since: state.position } : { position: true }) });
    }
  }

  onMessage(data) {
    const text = String(data);
    const message = JSON.parse(text);
    const state = this.streams.get(message.type) ?? this.streams.get(message.stream);
    if (message.type === "subscribed") this.#subscribed(state, message);
    else if (message.type === "error") this.#refused(message);
    else if (message.type === "unsubscribed") this.socket.close();
    else if (message.type === "notice") this.#notice(state, message, text);
    else if (message.type !== "welcome") this.#event(state, message, text);
  }

  #refused(message) {
    this.fleet.onRefused(message.code ?? message.message);
    this.socket.close();
  }

  #subscribed(state, { position, recovered, missing, stream }) {
    if (recovered === false) {
      this.ledger.tell("not recovered", missing.count ?? 0);
      if (missing.count === undefined) this.ledger.tell("another epoch");
      state.entryGapTold = true;
    } else if (recovered && (position.epoch !== state.position.epoch || position.offset !== state.position.offset)) {
      this.ledger.fault(`${stream} recovered at ${JSON.stringify(position)} for ${JSON.stringify(state.position)}`);
    }
    // None while the broker is away: the next `subscribed` has it.
    state.position = position ?? null;
    state.answered = true;
    if ([...this.streams.values()].every(({ answered }) => answered)) this.ready();
  }

  #notice(state, message, text) {
    if (message.state === "missed") {
      this.ledger.tell("missed"); // the next offset says how many
      state.gapTold = state.entryGapTold = true;
      return;
    }
    if (message.state === "paused") state.entryGapTold = true;
    if (message.state !== "restored") this.ledger.tell(message.state);
    if (message.offset !== undefined) this.#advance(state, message, text);
    else if (message.state === "unknown") this.ledger.fault(text);
  }

  #event(state, message, text) {
    if (!state) return this.ledger.fault(`unexpected ${text.slice(0, 200)}`);
    this.#advance(state, message, text);
    for (const { id, at } of message.data.list ?? []) {
      state.entry = this.ledger.follow(state.entry, id, "entry", state.entryGapTold);
      state.entryGapTold = false;
      this.fleet.onDelay(at);
    }
  }

  // A value's or a notice's place in the stream.
  #advance(state, message, text) {
    const { offset } = message;
    const { position } = state;
    if (!Number.isInteger(offset)) return this.ledger.fault(`without offset: ${text.slice(0, 200)}`);
    this.fleet.published.check(this.ledger, `${message.stream ?? message.type}/${position.epoch}/${offset}`, text);
    position.offset = this.ledger.follow(position.offset, offset, message.stream ?? message.type, state.gapTold);
    state.gapTold = false;
  }

  // Everything up to this entry has come.
  hasReached({ entry }) {
    const state = this.streams.get("entries");
    return this.isReady && (!state || (state.entry ?? -1) >= entry);
  }
}
