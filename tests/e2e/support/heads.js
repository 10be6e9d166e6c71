// What a run of heads has to be.

import assert from "node:assert/strict";

// Members of a head as geth sends them. A block that eth_getBlockByNumber answers has these and more.
export const HEADER_MEMBERS = [
  "hash", "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
  "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas",
  "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
];

// Numbers follow each other with no gap, and each block names the one before as its parent.
export function assertConsecutive(heads, what = "heads") {
  for (let i = 1; i < heads.length; ++i) {
    const [before, here] = [heads[i - 1], heads[i]];
    assert.equal(BigInt(here.number), BigInt(before.number) + 1n, `${what}: a gap or double after ${before.number}`);
    if (before.hash !== undefined) assert.equal(here.parentHash, before.hash, `${what}: ${here.number} has another parent`);
  }
}

// The header of a block, as newHeads has to show it.
export function headerOf(block) {
  return Object.fromEntries(HEADER_MEMBERS.filter((name) => name in block).map((name) => [name, block[name]]));
}

// `head` is the raw object of a notification; `ask(method, params)` asks the node.
export async function assertHeadIsBlock(head, ask) {
  const block = await ask("eth_getBlockByNumber", [head.number, false]);
  assert.deepEqual(head, headerOf(block), `head ${head.number} is not what eth_getBlockByNumber says`);
}
