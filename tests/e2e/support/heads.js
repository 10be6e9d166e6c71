// Checks for a sequence of heads.

import assert from "node:assert/strict";

// The members of a head as geth sends them. The answer of eth_getBlockByNumber has these and more.
export const HEADER_MEMBERS = [
  "hash", "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
  "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas",
  "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
];

// Numbers are consecutive, and each block names the previous one as its parent.
export function assertConsecutive(heads, what = "heads") {
  for (let i = 1; i < heads.length; ++i) {
    const [before, here] = [heads[i - 1], heads[i]];
    assert.equal(BigInt(here.number), BigInt(before.number) + 1n, `${what}: a gap or double after ${before.number}`);
    if (before.hash !== undefined) assert.equal(here.parentHash, before.hash, `${what}: ${here.number} has another parent`);
  }
}

// The header of a block, as newHeads must show it.
export function headerOf(block) {
  return Object.fromEntries(HEADER_MEMBERS.filter((name) => name in block).map((name) => [name, block[name]]));
}

// `head` is the raw object of a notification; `ask(method, params)` calls the node.
export async function assertHeadIsBlock(head, ask) {
  const block = await ask("eth_getBlockByNumber", [head.number, false]);
  assert.deepEqual(head, headerOf(block), `head ${head.number} is not what eth_getBlockByNumber says`);
}
