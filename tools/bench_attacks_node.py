#!/usr/bin/env python3
"""A fake node for ./dev bench --attacks: bench_attacks_node.py OPTIONS, a JSON object.

Serves HTTP and WebSocket on one port, and makes a block every `block_ms`. Prints "listening PORT". Misbehaves from the line
"go" on its standard input on, prints its counts as JSON at "report", and ends at the end of its input.
"""

import asyncio
import collections
import hashlib
import json
import random
import sys
import time

from bench_attacks_wire import TEXT, NodeConnection, Orders, frame, new_tally, say

BUSY = "0x" + "b5" * 20           # the address that emits all logs
SLOW_ADDRESS = "0x510000"         # queries for logs of addresses with this prefix take slow_seconds
TOPIC = "0x" + "70" * 32
FIRST_BLOCKS = 64                 # blocks that exist at the start
FLOOD_BATCH = 512                 # messages written at once

DEFAULTS = {
    "chain_id": 1,
    "block_ms": 500,
    "block_jitter": 0,            # each block comes up to this share of block_ms earlier or later
    "logs": 0,                    # in every `logs_every`th block
    "logs_every": 1,
    "refuses_block_hash": False,  # eth_getLogs of one block, as some providers do
    "slow_seconds": 3,
    "raw_bytes": 0,               # size of debug_getRawBlock's answer
    "flood": None,                # junk, notifications, heads or answers, over WebSocket
}


def hash_of(text):
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def header(number, parent, salt="", has_logs=False, seconds=1):
    zeros = "0x" + "0" * 64
    return {
        "hash": hash_of(f"{number}/{salt}/{parent}"), "parentHash": parent, "number": hex(number),
        "timestamp": hex(1_700_000_000 + number * seconds), "sha3Uncles": zeros, "miner": "0x" + "0" * 40, "stateRoot": zeros,
        "transactionsRoot": zeros, "receiptsRoot": zeros, "logsBloom": "0x" + ("f" if has_logs else "0") * 512,
        "difficulty": "0x0", "gasLimit": "0x1c9c380", "gasUsed": "0x0", "extraData": "0x", "mixHash": zeros,
        "nonce": "0x" + "0" * 16, "baseFeePerGas": "0x1",
    }


class Block:
    def __init__(self, number, parent, logs, seconds=1):
        self.number, self.logs = number, logs
        self.header = header(number, parent, has_logs=logs > 0, seconds=seconds)
        self.hash = self.header["hash"]
        self.json = json.dumps({**self.header, "size": "0x200", "transactions": [], "uncles": []})
        self.made_ns = time.monotonic_ns()
        self._logs_json = None

    def logs_json(self):
        """The block's logs as JSON, without the brackets."""
        if self._logs_json is None:
            transaction = hash_of(self.hash)
            self._logs_json = ",".join(
                f'{{"address":"{BUSY}","topics":["{TOPIC}"],"data":"0x{index:064x}","blockNumber":"{hex(self.number)}",'
                f'"transactionHash":"{transaction}","transactionIndex":"0x0","blockHash":"{self.hash}",'
                f'"logIndex":"{hex(index)}","removed":false}}' for index in range(self.logs))
        return self._logs_json


class Fault(Exception):
    """A JSON-RPC error that the node answers with."""


class Node:
    def __init__(self, options):
        self.options = {**DEFAULTS, **options}
        self.blocks, self.by_hash = [], {}
        self.going, self.subscribers = False, {}  # connection -> [(id, type)]
        self.piece = b"00" * (32 << 10)
        self.tally = new_tally()
        self.calls = collections.Counter()  # by the second of the monotonic clock
        self.flooders = {}
        self.flood_parts = []
        for _ in range(FIRST_BLOCKS):
            self.make_block()

    # --- the chain

    def make_block(self):
        number = len(self.blocks)
        logs = self.options["logs"] if self.going and number % self.options["logs_every"] == 0 else 0
        block = Block(number, self.blocks[-1].hash if self.blocks else "0x" + "0" * 64, logs,
                      max(1, round(self.options["block_ms"] / 1000)))
        self.blocks.append(block)
        self.by_hash[block.hash] = block
        for connection, known in self.subscribers.items():
            for subscription, kind in known:
                if kind == "newHeads" and connection.is_open:
                    connection.transport.write(frame(TEXT, self.notification(subscription, block.header)))

    @staticmethod
    def notification(subscription, result):
        return json.dumps({"jsonrpc": "2.0", "method": "eth_subscription",
                           "params": {"subscription": subscription, "result": result}}).encode()

    async def make_blocks(self):
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self.options["block_ms"] / 1000
            shift = random.uniform(-1, 1) * self.options["block_jitter"] * self.options["block_ms"] / 1000
            await asyncio.sleep(max(0, due + shift - loop.time()))
            self.make_block()

    def block(self, name):
        if name in ("latest", "pending"):
            return self.blocks[-1]
        if name in ("safe", "finalized"):
            return self.blocks[-33]
        number = 0 if name == "earliest" else int(name, 16)
        return self.blocks[number] if number < len(self.blocks) else None

    # --- calls

    async def answer(self, body, connection):
        """Returns the parts of the answer's text."""
        asked = json.loads(body)
        if not isinstance(asked, list):
            return await self.answer_one(asked, connection)
        parts = [b"["]
        for each in asked:
            parts += [*(await self.answer_one(each, connection)), b","]
        return [*parts[:-1], b"]"]

    async def answer_one(self, call, connection):
        self.calls[int(time.monotonic())] += 1
        begin = f'{{"jsonrpc":"2.0","id":{json.dumps(call["id"])},'.encode()
        method, params = call["method"], call.get("params") or []
        try:
            if method == "debug_getRawBlock" and self.options["raw_bytes"]:
                self.tally["large answers by the node"] += 1
                whole, rest = divmod(self.options["raw_bytes"], len(self.piece))
                return [begin, b'"result":"0x', *[self.piece] * whole, self.piece[:rest], b'"}']
            return [begin, b'"result":', (await self.result(method, params, connection)).encode(), b"}"]
        except Fault as fault:
            return [begin, b'"error":', json.dumps({"code": -32602, "message": str(fault)}).encode(), b"}"]

    async def result(self, method, params, connection):
        if method == "eth_getBlockByNumber":
            return getattr(self.block(params[0]), "json", "null")
        if method == "eth_getBlockByHash":
            return getattr(self.by_hash.get(params[0]), "json", "null")
        if method == "eth_getLogs":
            return await self.logs(params[0])
        if method == "eth_subscribe" and connection.frames is not None and params[0] == "newHeads":
            known = self.subscribers.setdefault(connection, [])
            known.append((hex(0x1000 + len(known)), params[0]))
            return json.dumps(known[-1][0])
        plain = {"eth_chainId": hex(self.options["chain_id"]), "net_version": str(self.options["chain_id"]),
                 "eth_blockNumber": hex(self.blocks[-1].number), "web3_clientVersion": "fake", "eth_syncing": False,
                 "eth_getBalance": "0x1", "eth_call": "0x", "eth_unsubscribe": True}
        if method not in plain:
            raise Fault(f"the method {method} does not exist")
        return json.dumps(plain[method])

    async def logs(self, wanted):
        addresses = wanted.get("address") or [BUSY]
        addresses = addresses if isinstance(addresses, list) else [addresses]
        if addresses[0].startswith(SLOW_ADDRESS):
            self.tally["slow reads at the node"] += 1
            await asyncio.sleep(self.options["slow_seconds"])
        if "blockHash" in wanted:
            if self.options["refuses_block_hash"]:
                self.tally["logs refused by the node"] += 1
                raise Fault("blockHash is not supported")
            found = [self.by_hash[wanted["blockHash"]]] if wanted["blockHash"] in self.by_hash else []
        else:
            first, last = (self.block(wanted.get(name, "latest")) for name in ("fromBlock", "toBlock"))
            end = last.number if last else len(self.blocks) - 1
            found = self.blocks[first.number:end + 1] if first else []
        if BUSY not in (address.lower() for address in addresses):
            found = []
        return "[" + ",".join(block.logs_json() for block in found if block.logs) + "]"

    # --- floods

    def opened(self, connection):
        if self.options["flood"] and self.going:
            self.start_flood(connection)
        self.flooders.setdefault(connection, None)

    def go(self):
        self.going = True
        if self.options["flood"]:
            self.tally["connections to flood"] += 0
            for connection in list(self.flooders):
                if connection.is_open:
                    self.start_flood(connection)

    def start_flood(self, connection):
        self.tally["connections to flood"] += 1
        self.flooders[connection] = asyncio.get_running_loop().create_task(self.flood(connection))

    async def flood(self, connection):
        """Sends as fast as the gateway reads."""
        kind = self.options["flood"]
        subscription = "0xdead"
        if kind == "heads":
            while not any(known == "newHeads" for _, known in self.subscribers.get(connection, [])):
                await asyncio.sleep(0.01)
            subscription = self.subscribers[connection][-1][0]
        chunks = flood_chunks(kind, self.blocks[-1], subscription)
        while True:
            for chunk in chunks:
                if not await connection.write(chunk):
                    return
                self.tally["messages of the flood"] += FLOOD_BATCH
                self.tally["bytes of the flood"] += len(chunk)

    def report(self):
        return {"tally": self.tally, "calls": self.calls, "blocks": [[block.hash, block.made_ns, block.logs] for block in self.blocks[FIRST_BLOCKS:]]}


def flood_chunks(kind, tip, subscription):
    """Returns chunks of FLOOD_BATCH messages each, to be written in turn."""
    if kind == "junk":
        return [frame(TEXT, b"this is no JSON") * FLOOD_BATCH]
    if kind == "notifications":
        return [frame(TEXT, Node.notification("0xbad", hash_of(str(each)))) * FLOOD_BATCH for each in range(4)]
    if kind == "answers":
        return [b"".join(frame(TEXT, json.dumps({"jsonrpc": "2.0", "id": 10**9 + each, "result": "0x1"}).encode())
                         for each in range(FLOOD_BATCH))]
    chunks = []
    for branch in range(8):  # each branch starts at the tip and replaces the previous branch
        messages, parent = [], tip.hash
        for number in range(tip.number + 1, tip.number + 1 + FLOOD_BATCH):
            made = header(number, parent, salt=f"branch {branch}")
            messages.append(frame(TEXT, Node.notification(subscription, made)))
            parent = made["hash"]
        chunks.append(b"".join(messages))
    return chunks


async def main():
    node = Node(json.loads(sys.argv[1]))
    orders = await Orders().begin()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: NodeConnection(node), "127.0.0.1", 0)
    blocks = loop.create_task(node.make_blocks())
    say(f"listening {server.sockets[0].getsockname()[1]}")
    await orders.wait_for("go")
    node.go()
    say("going")
    await orders.wait_for("report")
    say(node.report())
    await orders.wait_for("end")
    blocks.cancel()


if __name__ == "__main__":
    asyncio.run(main())
