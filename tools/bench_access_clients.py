#!/usr/bin/env python3
"""The clients of tools/bench_access.py: bench_access_clients.py ROLE OPTIONS, as those of bench_attacks_clients.py."""

import asyncio
import gc
import json
import os
import sys
import time

from bench_attacks_clients import error_code, request
from bench_attacks_wire import ClientSocket, Orders, Refused, new_tally, say

OPEN_AT_ONCE = 50
ANSWER_S = 10  # a call without an answer within this time is lost
# Calls that the node answers, one from the cache, one that no role grants, and one that nobody knows.
MIX = (("eth_blockNumber", []), ("eth_getBalance", None), ("eth_getBlockByNumber", ["0x1", False]), ("eth_chainId", []),
       ("admin_peers", []))


TOPICS = ("newHeads", "newFinalizedHeads", "logs", "syncing")


class Topic:
    """Events of one subscription. Heads follow each other, and the logs of a block begin with index 0."""

    def __init__(self, kind):
        self.kind, self.last = kind, None

    def is_next(self, event):
        if self.kind == "logs":
            now = (int(event["blockNumber"], 16), int(event["logIndex"], 16))
            expected = self.last and {(self.last[0], self.last[1] + 1), (self.last[0] + 1, 0)}
        elif self.kind == "syncing":
            return True
        else:
            now = int(event["number"], 16)
            expected = self.last and {self.last + 1}
        self.last = now
        return not expected or now in expected


class Caller:
    """One authenticated WebSocket. Its answers come in any order; each call waits for its own."""

    def __init__(self, tally):
        self.tally, self.waiting, self.latencies, self.serial, self.socket = tally, {}, [], 0, None
        self.topics, self.subscribing = {}, {}

    async def open(self, url):
        self.socket = await ClientSocket.open(url, self.received)
        return self

    def received(self, text):
        now = time.monotonic_ns()
        if b'"eth_subscription"' in text[:200]:
            event = json.loads(text)["params"]
            topic = self.topics[event["subscription"]]
            self.tally[f"{topic.kind} events"] += 1
            if not topic.is_next(event["result"]):
                self.tally["gaps"] += 1
            return
        if text.startswith(b"["):
            self.tally["batches answered"] += 1
            code = error_code(text)
            if code:
                self.tally[f"batches with error {code}"] += 1
            return
        answer = json.loads(text)
        waiting = self.waiting.pop(answer["id"], None)
        if waiting is None:
            # Of a batch that was refused as a whole.
            self.tally[f"batches refused with {answer.get('error', {}).get('code')}"] += 1
            return
        sent, done = waiting
        self.latencies.append(now - sent)
        error = answer.get("error")
        topic = self.subscribing.pop(answer["id"], None)
        if topic and not error:
            self.topics[answer["result"]] = topic
        self.tally[f"error {error['code']}" if error else "results"] += 1
        if not done.done():
            done.set_result(None)

    def start(self, method, params):
        self.serial += 1
        done = asyncio.get_running_loop().create_future()
        self.waiting[self.serial] = (time.monotonic_ns(), done)
        self.socket.send(request(self.serial, method, params))
        return done

    async def call(self, method, params):
        try:
            await asyncio.wait_for(self.start(method, params), ANSWER_S)
        except TimeoutError:
            self.tally["lost"] += 1

    async def subscribe(self, kind):
        # Its first events may come in the same read as the answer.
        self.subscribing[self.serial + 1] = Topic(kind)
        await self.call("eth_subscribe", [kind])


class Crowd:
    """`clients` WebSockets with the keys of `urls` in turn; each sends mixed calls at its pace and subscribes to four topics."""

    def __init__(self, options):
        self.options, self.tally, self.callers = options, new_tally(), []

    async def prepare(self):
        urls = self.options["urls"]
        gate = asyncio.Semaphore(OPEN_AT_ONCE)

        async def one(index):
            async with gate:
                caller = await Caller(self.tally).open(urls[index % len(urls)])
                for kind in TOPICS:
                    await caller.subscribe(kind)
                self.callers.append(caller)

        await asyncio.gather(*(one(index) for index in range(self.options["clients"])))
        self.tally.clear()

    async def run_one(self, index, caller, end):
        loop = asyncio.get_running_loop()
        every = self.options["every_s"]
        await asyncio.sleep(every * index / len(self.callers))
        turn = index
        while loop.time() < end:
            due = loop.time() + every
            method, params = MIX[turn % len(MIX)]
            turn += 1
            await caller.call(method, [f"0x{index:020x}{turn:020x}", "latest"] if params is None else params)
            await asyncio.sleep(max(0, due - loop.time()))

    async def measure(self):
        for caller in self.callers:
            caller.latencies.clear()
        end = asyncio.get_running_loop().time() + self.options["seconds"]
        await asyncio.gather(*(self.run_one(index, caller, end) for index, caller in enumerate(self.callers)))
        closed = sum(caller.socket.closed.done() for caller in self.callers)
        return {"latencies_ns": [each for caller in self.callers for each in caller.latencies], "closed": closed}


class Pipeline(Crowd):
    """One WebSocket that keeps `depth` calls in flight. The gateway answers them itself: what is measured is its own work."""

    async def prepare(self):
        self.callers = [await Caller(self.tally).open(self.options["urls"][0])]

    async def measure(self):
        caller, end = self.callers[0], asyncio.get_running_loop().time() + self.options["seconds"]
        caller.latencies.clear()

        method, params = self.options.get("call", ("eth_unsubscribe", ["0x1"]))

        async def lane():
            while asyncio.get_running_loop().time() < end:
                await caller.call(method, params)

        await asyncio.gather(*(lane() for _ in range(self.options["depth"])))
        return {"calls": len(caller.latencies)}


class Abuser(Crowd):
    """Sends batches of `items` calls, one after the other, whatever it is told.

    It shares its core with the other client and the node. It works while these two rest, so that they wait for the gateway
    and never for the abuser's own work."""

    async def prepare(self):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        one = b"[" + b",".join(request(index, "eth_getBalance", ["0x" + "1" * 40, "latest"]) for index in range(self.options["items"])) + b"]"
        self.batch = one

    async def measure(self):
        end = asyncio.get_running_loop().time() + self.options["seconds"]
        while asyncio.get_running_loop().time() < end:
            try:
                caller = await Caller(self.tally).open(self.options["urls"][0])
            except Refused as refused:
                self.tally[str(refused)] += 1
                await asyncio.sleep(0.05)
                continue
            while not caller.socket.closed.done() and asyncio.get_running_loop().time() < end:
                before = sum(count for name, count in self.tally.items() if name.startswith(("batches answered", "batches refused")))
                caller.socket.send(self.batch)
                self.tally["batches sent"] += 1
                while not caller.socket.closed.done() and asyncio.get_running_loop().time() < end:
                    now = sum(count for name, count in self.tally.items() if name.startswith(("batches answered", "batches refused")))
                    if now > before:
                        break
                    await asyncio.sleep(0.002)
            if caller.socket.closed.done():
                self.tally[f"closed with {caller.socket.code}"] += 1
            caller.socket.abort()
        return {}


ROLES = {"crowd": Crowd, "pipeline": Pipeline, "abuser": Abuser}


async def main():
    client = ROLES[sys.argv[1]](json.loads(sys.argv[2]))
    orders = await Orders().begin()
    await client.prepare()
    say("ready")
    await orders.wait_for("go")
    gc.disable()
    found = await client.measure()
    say({**found, "tally": client.tally})
    await orders.wait_for("end")


if __name__ == "__main__":
    asyncio.run(main())
