// Common tasks with each client library against the development chain, which must behave like any other node.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Contract, encodeRlp, keccak256, parseEther, toBeHex, Wallet, WebSocketProvider, JsonRpcProvider } from "ethers";
import { createPublicClient, defineChain, http, parseAbi, webSocket } from "viem";
import { Web3 } from "web3";
import { atEnd } from "./support/cleanup.js";
import { call, startDevChain } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { Inbox, until, within } from "./support/waiting.js";

const TOKEN = "0xfa4fa4e000000000000000000000000000000001"; // the first token of the development chain
const ABI = [
  "function name() view returns (string)",
  "function symbol() view returns (string)",
  "function decimals() view returns (uint8)",
  "function totalSupply() view returns (uint256)",
  "function balanceOf(address owner) view returns (uint256)",
  "function transfer(address to, uint256 amount) returns (bool)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
];

// A chain with a few blocks and transfers in it.
// By default ethers caches answers for a quarter of a second, and a block may arrive sooner.
const FRESH = { cacheTimeout: -1 };

async function startChain(t) {
  const fanfare = await startDevChain(t, ["--dev-block-time", "300ms"]);
  await until("block 5", async () => Number(await call(fanfare.http, "eth_blockNumber")) >= 5);
  return fanfare;
}

// keccak256 of the RLP of a header, as defined by the yellow paper and EIPs 1559, 4895, 4844, 4788.
function hashOfHeader(block) {
  const quantity = (value) => (BigInt(value) === 0n ? "0x" : toBeHex(BigInt(value)));
  const fields = [
    block.parentHash, block.sha3Uncles, block.miner, block.stateRoot, block.transactionsRoot, block.receiptsRoot,
    block.logsBloom, quantity(block.difficulty), quantity(block.number), quantity(block.gasLimit), quantity(block.gasUsed),
    quantity(block.timestamp), block.extraData, block.mixHash, block.nonce, quantity(block.baseFeePerGas),
  ];
  if (block.withdrawalsRoot !== undefined) fields.push(block.withdrawalsRoot);
  if (block.blobGasUsed !== undefined) fields.push(quantity(block.blobGasUsed), quantity(block.excessBlobGas));
  if (block.parentBeaconBlockRoot !== undefined) fields.push(block.parentBeaconBlockRoot);
  if (block.requestsHash !== undefined) fields.push(block.requestsHash);
  return keccak256(encodeRlp(fields));
}

test("ethers: blocks, balances, logs, a contract, and transactions of its own", async (t) => {
  const fanfare = await startChain(t);
  const provider = new WebSocketProvider(fanfare.ws, undefined, FRESH);
  atEnd(t, () => provider.destroy());

  await t.test("the network and blocks with their transactions", async () => {
    assert.equal((await provider.getNetwork()).chainId, 1337n);
    const block = await provider.getBlock(3, true);
    assert.equal(block.number, 3);
    assert.equal((await provider.getBlock(block.hash)).hash, block.hash);
    assert.equal((await provider.getBlock(2)).hash, block.parentHash);
    for (const transaction of block.prefetchedTransactions) {
      assert.equal(transaction.blockHash, block.hash);
      const receipt = await provider.getTransactionReceipt(transaction.hash);
      assert.equal(receipt.blockHash, block.hash);
      assert.equal(receipt.from, transaction.from);
    }
    for (const tag of ["latest", "safe", "finalized", "earliest", "pending"]) assert.ok(await provider.getBlock(tag), tag);
  });

  await t.test("hashes and parent links hold: keccak over the RLP of each header is its hash", async () => {
    const latest = await provider.getBlockNumber();
    const blocks = [];
    for (let number = 0; number <= latest; ++number) {
      blocks.push(await provider.send("eth_getBlockByNumber", [toBeHex(number).replace(/^0x0(?=.)/, "0x"), false]));
      assert.equal(hashOfHeader(blocks.at(-1)), blocks.at(-1).hash, `block ${number}`);
    }
    assertConsecutive(blocks);
  });

  await t.test("the token: contract reads, and its Transfer logs", async () => {
    const token = new Contract(TOKEN, ABI, provider);
    assert.equal(await token.decimals(), 6n);
    assert.ok((await token.name()).length > 0 && (await token.symbol()).length > 0);
    const logs = await token.queryFilter(token.filters.Transfer(), 0, "latest");
    assert.ok(logs.length > 0);
    const supply = await token.totalSupply();
    for (const { args } of logs.slice(0, 5)) assert.ok((await token.balanceOf(args.to)) <= supply);
    for (const log of await provider.send("eth_getLogs", [{ fromBlock: "0x1", toBlock: "0x3" }])) {
      const receipt = await provider.send("eth_getTransactionReceipt", [log.transactionHash]);
      assert.deepEqual(receipt.logs.find(({ logIndex }) => logIndex === log.logIndex), log);
    }
    assert.deepEqual(await provider.getLogs({ address: `0x${"ab".repeat(20)}`, fromBlock: 0 }), []);
  });

  await t.test("signs and sends, waits, and sees what it changed", async () => {
    const [rich] = await provider.send("eth_accounts", []);
    const wallet = Wallet.createRandom(provider);
    const funding = await provider.send("eth_sendTransaction", [
      { from: rich, to: wallet.address, value: toBeHex(parseEther("2")).replace(/^0x0+/, "0x") }]);
    assert.equal((await provider.waitForTransaction(funding, 1, 60_000)).status, 1);
    assert.equal(await provider.getBalance(wallet.address), parseEther("2"));

    const to = Wallet.createRandom().address;
    const sent = await wallet.sendTransaction({ to, value: parseEther("0.5") });
    const receipt = await provider.waitForTransaction(sent.hash, 1, 60_000);
    assert.equal(receipt.status, 1);
    assert.equal(receipt.gasUsed, 21_000n);
    assert.equal(await provider.getBalance(to), parseEther("0.5"));
    assert.equal(await provider.getBalance(wallet.address), parseEther("1.5") - receipt.fee);
    assert.equal(await provider.getTransactionCount(wallet.address), 1);
    const block = await provider.getBlock(receipt.blockNumber);
    assert.ok(block.transactions.includes(sent.hash));

    // Transferring a token without a balance reverts, and the receipt shows that.
    const poor = new Contract(TOKEN, ABI, wallet);
    await assert.rejects(poor.transfer(to, 1n), { code: "CALL_EXCEPTION" });
    await assert.rejects(wallet.sendTransaction({ to, value: parseEther("100") }), { code: "INSUFFICIENT_FUNDS" });
  });

  await t.test("a token transfer by a development account shows in balances and logs", async () => {
    const [rich] = await provider.send("eth_accounts", []);
    const token = new Contract(TOKEN, ABI, provider);
    const to = Wallet.createRandom().address;
    const before = await token.balanceOf(rich);
    assert.ok(before > 12345n);
    const hash = await provider.send("eth_sendTransaction", [
      { from: rich, to: TOKEN, data: token.interface.encodeFunctionData("transfer", [to, 12345n]) }]);
    const receipt = await provider.waitForTransaction(hash, 1, 60_000);
    assert.equal(receipt.status, 1);
    assert.equal(await token.balanceOf(to), 12345n);
    const [log] = await token.queryFilter(token.filters.Transfer(null, to), receipt.blockNumber, receipt.blockNumber);
    assert.equal(log.transactionHash, hash);
    assert.equal(log.args.value, 12345n);
  });

  await t.test("over HTTP too, with ethers' batches", async () => {
    const plain = new JsonRpcProvider(fanfare.http, undefined, { ...FRESH, batchMaxCount: 50 });
    atEnd(t, () => plain.destroy());
    const blocks = await Promise.all([0, 1, 2, 3, 4, 5].map((number) => plain.getBlock(number)));
    assertConsecutive(blocks);
  });
});

test("viem: watchBlocks, reads, logs, a contract, many clients' ids from 0", async (t) => {
  const fanfare = await startChain(t);
  const chain = defineChain({
    id: 1337, name: "dev", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [fanfare.http], webSocket: [fanfare.ws] } },
  });
  for (const [name, transport] of [
    ["WebSocket", webSocket(fanfare.ws, { reconnect: false })],
    ["HTTP, batched", http(fanfare.http, { batch: true })],
  ]) {
    await t.test(name, async (t) => {
      const client = createPublicClient({ chain, transport });
      if (name === "WebSocket") atEnd(t, async () => (await client.transport.getRpcClient()).close());
      const inbox = new Inbox(name);
      const stop = client.watchBlocks({
        includeTransactions: true,
        poll: name !== "WebSocket",
        pollingInterval: 50,
        emitMissed: true,
        onBlock: (block) => inbox.push(block),
        onError: (error) => inbox.end(error.message),
      });
      atEnd(t, stop);
      assertConsecutive((await inbox.atLeast(5)).slice(0, 5));
      assert.equal(await client.getChainId(), 1337);
      const abi = parseAbi(ABI);
      const [block, balance, logs, decimals] = await Promise.all([
        client.getBlock({ blockNumber: 2n, includeTransactions: true }),
        client.getBalance({ address: TOKEN }),
        client.getLogs({ event: abi.find(({ type }) => type === "event"), fromBlock: 0n, toBlock: "latest" }),
        client.readContract({ address: TOKEN, abi, functionName: "decimals" }),
      ]);
      assert.equal(block.number, 2n);
      assert.equal(balance, 0n);
      assert.equal(decimals, 6);
      assert.ok(logs.length > 0);
      for (const { args } of logs) assert.equal(typeof args.value, "bigint");
      const receipt = await client.getTransactionReceipt({ hash: logs[0].transactionHash });
      assert.equal(receipt.status, "success");
      await assert.rejects(client.getBlock({ blockNumber: 1_000_000n }), { name: "BlockNotFoundError" });
      assert.ok((await client.estimateFeesPerGas()).maxFeePerGas > 0n);
    });
  }
});

test("web3.js: blocks, newHeads, past logs, a contract, a signed transaction", async (t) => {
  const fanfare = await startChain(t);
  const web3 = new Web3(fanfare.ws);
  atEnd(t, () => web3.provider.disconnect());
  assert.equal(await web3.eth.getChainId(), 1337n);
  const subscription = await web3.eth.subscribe("newHeads");
  const heads = new Inbox("web3.js");
  subscription.on("data", (head) => heads.push(head));
  assertConsecutive((await heads.atLeast(4)).slice(0, 4));
  await subscription.unsubscribe();

  const block = await web3.eth.getBlock(2, true);
  assert.equal(block.number, 2n);
  const logs = await web3.eth.getPastLogs({ address: TOKEN, fromBlock: 0, toBlock: "latest" });
  assert.ok(logs.length > 0);
  const contract = new web3.eth.Contract([
    { type: "function", name: "balanceOf", stateMutability: "view", inputs: [{ name: "owner", type: "address" }], outputs: [{ name: "", type: "uint256" }] },
    { type: "event", name: "Transfer", inputs: [{ name: "from", type: "address", indexed: true }, { name: "to", type: "address", indexed: true }, { name: "value", type: "uint256" }] },
  ], TOKEN);
  const events = await contract.getPastEvents("Transfer", { fromBlock: 0 });
  assert.ok(events.length > 0);
  assert.equal(typeof (await contract.methods.balanceOf(events[0].returnValues.to).call()), "bigint");

  const [rich] = await web3.eth.getAccounts();
  const account = web3.eth.accounts.create();
  web3.eth.accounts.wallet.add(account);
  const funded = await within("a receipt", web3.eth.sendTransaction({ from: rich, to: account.address, value: 10n ** 18n }));
  assert.equal(funded.status, 1n);
  const sent = await within("a receipt", web3.eth.sendTransaction({ from: account.address, to: rich, value: 5n, gas: 21000n }));
  assert.equal(sent.status, 1n);
  assert.equal(await web3.eth.getTransactionCount(account.address), 1n);
});
