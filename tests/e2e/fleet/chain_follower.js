// Follows heads or logs of the chain with a cursor (docs/subscriptions.md), and compares with the chain at the end.

import { Follower } from "./follower.js";

const ORDER = 1_000_000; // more than a block has logs

export const placeOf = (log) => Number(log.blockNumber) * ORDER + Number(log.logIndex);
// Of a cursor: bytes 1 to 8 are the block's number.
const blockOf = (cursor) => (typeof cursor === "string" ? Number(Buffer.from(cursor, "base64url").readBigUInt64BE(1)) : -1);

export class ChainFollower extends Follower {
  cursor = true;
  from = null; // the block before the first one that it must have
  last = null;
  gapTold = false;
  hash = null;
  logs = []; // their places, in order of arrival

  constructor(name, base, fleet, params) {
    super(name, `${base}/main/evm/1337`, fleet);
    this.params = params;
    this.isHeads = params[0] === "newHeads";
  }

  onOpen() {
    this.send({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: [...this.params, { cursor: this.cursor }] });
  }

  onMessage(data) {
    const { id, error, params } = JSON.parse(data);
    if (error) {
      this.fleet.onRefused(error.message);
      this.socket.close();
    } else if (id === 1) {
      this.ready();
    } else if (params) {
      this.cursor = params.cursor ?? this.cursor;
      if (params.notice) this.#notice(params.notice);
      else if (this.isHeads) this.#head(params.result);
      else this.#log(params.result);
    }
  }

  #notice(notice) {
    if (notice.type === "live") {
      this.from ??= Number(notice.block);
      return;
    }
    this.ledger.tell(notice.type, notice.toBlock ? Number(notice.toBlock) - Number(notice.fromBlock) + 1 : 0);
    this.gapTold = true;
  }

  #head({ number, hash, parentHash }) {
    const told = this.gapTold;
    this.gapTold = false;
    const before = this.last;
    this.last = this.ledger.follow(before, Number(number), "head", told);
    if (before !== null && Number(number) === before + 1 && parentHash !== this.hash) this.ledger.fault(`head ${number} has another parent`);
    this.hash = hash;
    this.fleet.published.check(this.ledger, `head ${number}`, hash);
  }

  #log(log) {
    if (log.removed) return this.ledger.fault(`removed: ${log.blockNumber}/${log.logIndex}`);
    const place = placeOf(log);
    const last = this.logs.at(-1);
    if (last !== undefined && place <= last) this.ledger.repeat(`log ${log.blockNumber}/${log.logIndex} after ${Math.floor(last / ORDER)}/${last % ORDER}`);
    else ++this.ledger.events;
    this.logs.push(place);
  }

  hasReached({ block }) {
    return this.isReady && blockOf(this.cursor) >= block;
  }

  // `places`: those of all logs of its filter on the chain, in order. Compares from its begin to `last`.
  compare(places, last) {
    if (Object.keys(this.ledger.told).length > 0) return 0; // what is missing was told
    const isMine = (place) => place >= (this.from + 1) * ORDER && place < (last + 1) * ORDER;
    const wanted = places.filter(isMine);
    const have = new Set(this.logs.filter(isMine));
    const missing = wanted.filter((place) => !have.has(place));
    if (missing.length > 0) this.ledger.lose(missing.length, `logs from ${Math.floor(missing[0] / ORDER)}/${missing[0] % ORDER} on`);
    if (have.size > wanted.length) this.ledger.fault(`${have.size} logs of ${wanted.length}`);
    return wanted.length;
  }
}
